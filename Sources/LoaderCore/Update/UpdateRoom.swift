/// Addresses kept free for newer versions, within reach of the state that their code refers to.
///
/// Threads' stacks and allocators' arenas soon fill the 2 GiB around a program's libraries, so room is set aside when
/// objects are registered: address space only, without memory behind it. When it is used up, or not within reach,
/// `FreeSpace` looks for what is free at the moment.
final class UpdateRoom {
  private struct Area {
    let range: AddressRange
    var next: UInt64
  }

  private var areas: [Area] = []

  /// Several generations of all objects; more for small programs, since it costs nothing.
  static var generations: UInt64 { 8 }
  static var smallest: UInt64 { 64 << 20 }
  static var largest: UInt64 { 1 << 30 }

  /// Sets room aside for objects, unless what there is lies within their reach.
  func extend(for objects: [LoadedObject]) {
    guard let first = objects.first else { return }
    var home = first.memoryRange
    var total: UInt64 = 0
    for object in objects {
      home = AddressRange(
        start: min(home.start, object.memoryRange.start), end: max(home.end, object.memoryRange.end))
      total += object.memoryRange.count
    }
    if areas.contains(where: {
      FreeSpace.isWithinReach($0.range.start, $0.range.count, home) && $0.next + total < $0.range.end
    }) {
      return
    }
    let size = min(max(total * UpdateRoom.generations, UpdateRoom.smallest), UpdateRoom.largest)
    // The kernel maps downwards from the libraries, so what it gives is next to them. With a limited address space
    // (RLIMIT_AS) there may be none, and the program keeps what it is allowed.
    guard AddressSpaceLimit.isNone, let start = try? Mapping.anonymous(size, .none, reserveOnly: true) else { return }
    areas.append(Area(range: AddressRange(start: start, count: size), next: start))
  }

  /// A place of `size` bytes within reach of `home`, taken out of the room: mapping may replace what lies there.
  func take(_ size: UInt64, alignment: UInt64, near home: AddressRange) -> UInt64? {
    for index in 0..<areas.count
    where FreeSpace.isWithinReach(areas[index].range.start, areas[index].range.count, home) {
      let start = (areas[index].next + alignment - 1) & ~(alignment - 1)
      // A page stays free between two versions: running off the end of one is seen.
      guard start + size + Segments.pageSize <= areas[index].range.end else { continue }
      areas[index].next = start + size + Segments.pageSize
      return start
    }
    return nil
  }

  /// Puts back a place whose version was given up. The last one taken is free again; the others stay unused.
  func giveBack(_ range: AddressRange) -> Bool {
    for index in 0..<areas.count where areas[index].range.contains(range) {
      _ = try? Mapping.anonymous(range.count, .none, at: range.start, replacing: true, reserveOnly: true)
      if areas[index].next == range.end + Segments.pageSize { areas[index].next = range.start }
      return true
    }
    return false
  }
}
