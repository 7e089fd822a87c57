/// The way from chunk to chunk through one of glibc's heaps, from the first one to the end. What lies inside a chunk,
/// free or not, is no chunk, whatever memory that was used before looks like.
///
/// The heap may change on the way. A way that leads to the very end was right with near certainty; whoever leaves
/// something out because of it goes it twice.
struct HeapWalk {
  private let range: AddressRange
  private let isMain: Bool
  private var window: HeapWindow

  /// HEAP_MAX_SIZE of malloc/arena.c: heaps of other arenas than the main one are aligned to it.
  private static var heapSize: UInt64 { 64 << 20 }

  init(_ map: FreeSpace.Occupied, _ window: HeapWindow) {
    (range, isMain, self.window) = (map.range, map.isHeap, window)
    // What was read before it begins is too old.
    self.window.forget()
  }

  /// Which of these places, ascending, are the beginnings of chunks; nil where no way was found.
  mutating func chunks(among places: [UInt64]) -> [UInt64]? {
    if isMain { return walk(from: range.start, places) }
    guard range.start & (HeapWalk.heapSize - 1) == 0 else { return nil }
    for first in firstChunks() {
      if let found = walk(from: first, places) { return found }
    }
    return nil
  }

  /// An arena's first heap begins with `struct heap_info` and `struct malloc_state`, whose sizes depend on glibc's
  /// version, and the cache of the thread that it was made for; further heaps with `struct heap_info` alone.
  private mutating func firstChunks() -> [UInt64] {
    var found: [UInt64] = []
    for offset in stride(from: UInt64(0x20), to: 0x1000, by: 16) {
      // In use, what is before it as well, and not of the main arena.
      if window.word(at: range.start + offset + 8) == HeapObjects.cacheChunk | 5 {
        found.append(range.start + offset)
      }
    }
    return found + [0x20, 0x30, 0x40].map { range.start + $0 }
  }

  private mutating func walk(from first: UInt64, _ places: [UInt64]) -> [UInt64]? {
    var found: [UInt64] = []
    var next = 0
    var chunk = first
    while chunk < range.end {
      while next < places.count, places[next] < chunk { next += 1 }
      if next < places.count, places[next] == chunk { found.append(chunk) }
      guard range.end - chunk >= 16, let header = window.word(at: chunk + 8) else { return nil }
      let size = header & ~HeapObjects.flags
      // Two fence posts end a heap that another one follows, the last of size 0.
      if size == 0, range.end - chunk == 16 { return found }
      guard size >= 16, size & 15 == 0, size <= range.end - chunk else { return nil }
      chunk += size
    }
    return found
  }
}

/// Memory of this process that may vanish, read through a copy of some pages.
struct HeapWindow {
  private let memory: UInt64
  private var start: UInt64 = 0
  private var count: UInt64 = 0

  static var size: UInt64 { 256 << 10 }

  /// Not on Luci's heap: what it holds of earlier looks would be found in the next.
  init?() {
    guard let memory = try? Mapping.anonymous(HeapWindow.size, .readWrite) else { return nil }
    self.memory = memory
  }

  func release() { Mapping.unmap(memory, HeapWindow.size) }

  mutating func forget() { count = 0 }

  /// Copies memory from `address` on, at most `size` bytes; what could be read.
  mutating func move(to address: UInt64, size: UInt64) -> Bytes {
    let size = min(size, HeapWindow.size)
    start = address
    count = UInt64(
      ForeignMemory.copy(from: address, to: ProcessMemory.buffer(at: memory, count: size), count: Int(size)))
    return ProcessMemory.bytes(at: memory, count: count)
  }

  mutating func word(at address: UInt64) -> UInt64? {
    if address < start || address - start + 8 > count {
      // Chunks follow upwards; most are small.
      guard move(to: address & ~7, size: HeapWindow.step).count >= 8 else { return nil }
    }
    return ProcessMemory.load(UInt64.self, at: memory + (address - start))
  }

  private static var step: UInt64 { 32 << 10 }
}
