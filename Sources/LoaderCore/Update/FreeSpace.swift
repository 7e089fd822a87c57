/// Finds room for a newer version within reach of the state that its code refers to (±2 GiB, the range of a
/// 32-bit displacement), from /proc/self/maps.
public struct FreeSpace {
  /// An occupied range of addresses.
  public struct Occupied: Sendable {
    public let range: AddressRange
    public let isHeap: Bool
    public let isStack: Bool
    /// Private writable memory that is no file's, as allocators use it.
    public var isPlain = false
  }

  /// The heap grows up by brk(2), the stack down: room that is left for them.
  static var heapReserve: UInt64 { 1 << 30 }
  static var stackReserve: UInt64 { 256 << 20 }
  /// Farthest distance that is used: less than 2 GiB by more than any object's own reach from its start.
  static var reach: UInt64 { 0x7ff0_0000 }

  /// Start of the free room of `size` bytes that is nearest to `home`; nil: none within reach.
  public static func nearest(to home: AddressRange, size: UInt64, in maps: [Occupied]) -> UInt64? {
    var best: UInt64?
    var previousEnd: UInt64 = 0x10000
    for next in maps + [Occupied(range: AddressRange(start: 1 << 47, count: 0), isHeap: false, isStack: false)] {
      let end = next.isStack ? next.range.start -| stackReserve : next.range.start
      if end >= previousEnd, end - previousEnd >= size + 2 * Segments.pageSize {
        // As near as possible to the home: the upper end of room below it, the lower end of room above it.
        let candidate =
          previousEnd >= home.start
          ? previousEnd + Segments.pageSize : min(end, max(home.start, previousEnd + size)) - size - Segments.pageSize
        if candidate > previousEnd, isWithinReach(candidate, size, home), isNearer(candidate, than: best, home) {
          best = candidate
        }
      }
      previousEnd = max(previousEnd, next.isHeap ? next.range.end + heapReserve : next.range.end)
    }
    return best
  }

  static func isWithinReach(_ start: UInt64, _ size: UInt64, _ home: AddressRange) -> Bool {
    let low = min(start, home.start)
    let high = max(start + size, home.end)
    return high - low <= reach
  }

  private static func isNearer(_ candidate: UInt64, than other: UInt64?, _ home: AddressRange) -> Bool {
    guard let other else { return true }
    return distance(candidate, home.start) < distance(other, home.start)
  }

  private static func distance(_ a: UInt64, _ b: UInt64) -> UInt64 { a > b ? a - b : b - a }

  /// The occupied ranges of this process, ascending.
  public static func read() throws(Errno) -> [Occupied] {
    // A process has at most some ten thousand mappings unless its system's administrator allows it more.
    let text = try FileDescriptor.textOfProcess("/proc/self/maps", limit: 1 << 30)
    return text.withUnsafeBytes { parse(Bytes($0)) }
  }

  /// Lines `start-end perms offset device inode path` (proc(5)).
  public static func parse(_ text: Bytes) -> [Occupied] {
    var result: [Occupied] = []
    var start = 0
    while start < text.count {
      var end = start
      while end < text.count, text[end] != 10 { end += 1 }
      if let line = text.slice(at: UInt64(start), count: UInt64(end - start)), let entry = occupied(line) {
        result.append(entry)
      }
      start = end + 1
    }
    return result
  }

  private static func occupied(_ line: Bytes) -> Occupied? {
    var index = 0
    guard let first = hexadecimal(line, &index), line[index] == 45 else { return nil }
    index += 1
    guard let last = hexadecimal(line, &index), last >= first else { return nil }
    let isStack = line.hasSuffix("[stack]")
    return Occupied(
      range: AddressRange(start: first, end: last), isHeap: line.hasSuffix("[heap]"), isStack: isStack,
      isPlain: !isStack && isPlain(line, at: index))
  }

  /// ` rw-p offset device 0 …` from `index` on: the inode of what is no file is 0.
  private static func isPlain(_ line: Bytes, at index: Int) -> Bool {
    guard let rest = line.slice(at: UInt64(index), count: UInt64(line.count - index)), rest.hasPrefix(" rw-p ") else {
      return false
    }
    var field = 0
    var position = 0
    while position < rest.count, field < 4 {
      if rest[position] == 32 { field += 1 }
      position += 1
    }
    return rest[position] == 48 && (rest[position + 1] == 32 || position + 1 == rest.count)
  }

  private static func hexadecimal(_ line: Bytes, _ index: inout Int) -> UInt64? {
    var value: UInt64 = 0
    let first = index
    while index < line.count {
      let byte = line[index]
      let digit: UInt8
      switch byte {
      case 48...57: digit = byte - 48
      case 97...102: digit = byte - 87
      default: return index > first ? value : nil
      }
      value = value << 4 | UInt64(digit)
      index += 1
    }
    return index > first ? value : nil
  }
}

infix operator -| : AdditionPrecedence

/// Difference that stops at 0.
private func -| (left: UInt64, right: UInt64) -> UInt64 { left > right ? left - right : 0 }
