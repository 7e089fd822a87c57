/// The way from chunk to chunk through one of glibc's heaps, from the first one to the end. What lies inside a chunk,
/// free or not, is no chunk, whatever memory that was used before looks like.
///
/// The heap may change on the way. A way that leads to the very end was right with near certainty; two are gone.
struct HeapWalk {
  private let range: AddressRange
  private let firstChunks: [UInt64]
  private var window: HeapWindow
  /// The last chunk on the last way was the top, where the heap grows, and no fence post, behind which the main heap
  /// goes on elsewhere, since there was no room.
  private(set) var endsWithTop = false

  /// HEAP_MAX_SIZE of malloc/arena.c: heaps of other arenas than the main one are aligned to it.
  private static var heapSize: UInt64 { 64 << 20 }
  /// MINSIZE.
  private static var smallestTop: UInt64 { 32 }

  /// nil: no heap.
  init?(_ range: AddressRange, isMain: Bool, _ window: HeapWindow) {
    (self.range, self.window) = (range, window)
    if isMain {
      firstChunks = [range.start]
    } else {
      guard let found = HeapWalk.firstChunks(range.start, &self.window) else { return nil }
      firstChunks = found
    }
  }

  /// The parts of a mapping of which each may be a heap.
  static func parts(of map: FreeSpace.Occupied) -> [AddressRange] {
    if map.isHeap { return [map.range] }
    var parts: [AddressRange] = []
    var start = map.range.start
    while start < map.range.end {
      let end = min(map.range.end, (start & ~(heapSize - 1)) + heapSize)
      parts.append(AddressRange(start: start, count: end - start))
      start = end
    }
    return parts
  }

  /// Where the first chunk may be. A heap begins with `struct heap_info`: the arena, the arena's heap before this one,
  /// the size. In the arena's first heap follow `struct malloc_state`, whose size depends on glibc's version, and as a
  /// first chunk mostly the cache of the thread that the arena was made for.
  private static func firstChunks(_ start: UInt64, _ window: inout HeapWindow) -> [UInt64]? {
    guard start & (heapSize - 1) == 0, let arena = window.word(at: start), arena != 0,
      arena & (heapSize - 1) < 0x100, let before = window.word(at: start + 8), before & (heapSize - 1) == 0,
      let size = window.word(at: start + 16), size != 0, size <= heapSize, size & (Segments.pageSize - 1) == 0
    else { return nil }
    var found: [UInt64] = []
    for offset in stride(from: UInt64(0x20), to: 0x1000, by: 16) {
      // In use, what is before it as well, and not of the main arena.
      if window.word(at: start + offset + 8) == HeapObjects.cacheChunk | 5 { found.append(start + offset) }
    }
    return found + [0x20, 0x30, 0x40].map { start + $0 }
  }

  /// What malloc returned for chunks of these sizes that are in use, as soon as there are `limit`; nil where no way was
  /// found.
  mutating func objects(of sizes: ChunkSizes, limit: Int, where isObject: (UInt64) -> Bool) -> [UInt64]? {
    window.forget()
    for first in firstChunks {
      if let found = walk(from: first, sizes, limit, isObject) { return found }
    }
    return nil
  }

  private mutating func walk(
    from first: UInt64, _ sizes: ChunkSizes, _ limit: Int, _ isObject: (UInt64) -> Bool
  ) -> [UInt64]? {
    var found: [UInt64] = []
    var chunk = first
    var wanted: UInt64?
    while chunk < range.end, found.count < limit {
      guard range.end - chunk >= 16, let header = window.word(at: chunk + 8) else { return nil }
      if let object = wanted, header & HeapObjects.previousInUse != 0, isObject(object) { found.append(object) }
      let size = header & ~HeapObjects.flags
      // Two fence posts end a heap that another one follows, the last of size 0.
      if size == 0, range.end - chunk == 16 { return found }
      guard size >= 16, size & 15 == 0, size <= range.end - chunk else { return nil }
      endsWithTop = size >= HeapWalk.smallestTop
      wanted = sizes.contains(size) ? chunk + 16 : nil
      chunk += size
    }
    return found
  }
}

/// Sizes of chunks that are looked for.
struct ChunkSizes {
  private var sizes: [UInt64] = []
  private var smallest: UInt64 = .max
  private var largest: UInt64 = 0

  var isEmpty: Bool { sizes.isEmpty }

  mutating func insert(_ size: UInt64) {
    if contains(size) { return }
    sizes.append(size)
    smallest = min(smallest, size)
    largest = max(largest, size)
  }

  func contains(_ size: UInt64) -> Bool {
    if size < smallest || size > largest { return false }
    for known in sizes where known == size { return true }
    return false
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

  private static var step: UInt64 { 64 << 10 }
}
