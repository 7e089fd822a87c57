/// Finds out whether objects of given sizes live on glibc's heap, without its help and without stopping anybody.
///
/// The format (malloc/malloc.c of glibc, the same since 2.3): a chunk begins with the size of the chunk before it,
/// which belongs to that one's user while it is in use, and its own size with three flags in the low bits; then comes
/// what malloc returned. Whether a chunk is in use is told by PREV_INUSE of the chunk behind it, but chunks in a
/// thread's cache (tcache) and in fast bins count as used there. The former have a key in their second word. What
/// can't be told to be free counts as alive.
struct HeapObjects {
  /// The sizes of chunks for requests of the sizes looked for.
  private let sizes: [UInt64]
  private let smallest: UInt64
  private let largest: UInt64
  /// Memory that is known to be something else: buffers of stdio streams, which have common sizes.
  var others: [UInt64]
  /// Luci's own memory, which holds sizes as numbers.
  var own: [AddressRange] = []

  private static var flags: UInt64 { 7 }
  private static var previousInUse: UInt64 { 1 }
  /// Larger objects are mapped one by one, in whole pages (M_MMAP_THRESHOLD).
  static var limit: UInt64 { 128 << 10 }
  /// sizeof(tcache_perthread_struct) as a chunk: 64 counts of two bytes and 64 lists; the first chunk of a heap.
  private static var cacheChunk: UInt64 { 0x290 }
  private static var cacheBins: UInt64 { 64 }

  /// `requests`: what malloc was asked for, in bytes. nil where one of them is too large to be told from the size.
  init?(requests: [UInt64], others: [UInt64] = []) {
    var sizes: [UInt64] = []
    for request in requests {
      guard request < HeapObjects.limit else { return nil }
      // SIZE_SZ is added, MALLOC_ALIGNMENT is 16, MINSIZE 32; a rest smaller than MINSIZE stays with the chunk.
      let size = max(32, (request + 8 + 15) & ~15)
      for size in [size, size + 16] where !sizes.contains(size) { sizes.append(size) }
    }
    guard let smallest = sizes.min(), let largest = sizes.max() else { return nil }
    (self.sizes, self.smallest, self.largest, self.others) = (sizes, smallest, largest, others)
  }

  /// More memory than that is not looked through.
  private static var memoryLimit: UInt64 { 4 << 30 }

  /// Live objects in the process, what malloc returned for them, as soon as there are `limit`; nil where that can't
  /// be told.
  func find(in maps: [FreeSpace.Occupied], limit: Int = 1) -> [UInt64]? {
    let plain = maps.filter { $0.isPlain }
    guard plain.reduce(0, { $0 &+ $1.range.count }) < HeapObjects.memoryLimit, HeapObjects.canRead() else {
      return nil
    }
    // The word that marks chunks in a thread's cache; 0: not known.
    var key: UInt64 = 0
    for map in plain where map.isHeap && key == 0 { key = HeapObjects.cacheKey(heap: map.range.start) }
    // Not on Luci's heap: what it holds of earlier looks would be found in the next. `maps` were read before this.
    guard let window = try? Mapping.anonymous(HeapObjects.window, .readWrite) else { return nil }
    defer { Mapping.unmap(window, HeapObjects.window) }
    var found: [UInt64] = []
    for map in plain {
      var start = map.range.start
      while start < map.range.end, found.count < limit {
        let size = min(HeapObjects.window, map.range.end - start)
        let got = ForeignMemory.copy(
          from: start, to: ProcessMemory.buffer(at: window, count: size), count: Int(size))
        look(ProcessMemory.bytes(at: window, count: UInt64(got)), at: start, in: map.range, key, &found)
        // Past a page that can't be read.
        start += max(UInt64(got) & ~(Segments.pageSize - 1), Segments.pageSize)
      }
    }
    return found
  }

  private static var window: UInt64 { 256 << 10 }

  /// Where process_vm_readv(2) is forbidden, nothing is found anywhere.
  private static func canRead() -> Bool {
    var probe: UInt64 = 0x6c75_6369
    let address = withUnsafePointer(to: &probe) { UInt64(UInt(bitPattern: $0)) }
    var copy: UInt64 = 0
    return ForeignMemory.copy(from: address, to: &copy)
  }

  /// Chunks are aligned to 16 bytes: sizes stand in every second word.
  private func look(
    _ words: Bytes, at start: UInt64, in range: AddressRange, _ key: UInt64, _ found: inout [UInt64]
  ) {
    var position = 8
    while position + 8 <= words.count {
      let size = (words.load(UInt64.self, at: position) ?? 0) & ~HeapObjects.flags
      if size >= smallest, size <= largest, sizes.contains(size) {
        let chunk = start + UInt64(position) - 8
        if isAlive(chunk: chunk, size, in: range, key) { found.append(chunk + 16) }
      }
      position += 16
    }
  }

  private func isAlive(chunk: UInt64, _ size: UInt64, in range: AddressRange, _ key: UInt64) -> Bool {
    let next = chunk + size
    guard next + 16 <= range.end, !others.contains(chunk + 16), !own.contains(where: { $0.contains(chunk) }) else {
      return false
    }
    var following: UInt64 = 0
    var second: UInt64 = 0
    // Memory that goes away meanwhile has no objects.
    guard ForeignMemory.copy(from: next + 8, to: &following), ForeignMemory.copy(from: chunk + 24, to: &second) else {
      return false
    }
    let nextSize = following & ~HeapObjects.flags
    // Anything may look like a size. Behind a chunk there is another one.
    guard nextSize >= 16, nextSize & 15 == 0, nextSize <= range.end - next else { return false }
    return following & HeapObjects.previousInUse != 0 && (key == 0 || second != key)
  }

  /// The key of the first thread's cache: glibc has one for the process (since 2.34), or the cache's own address.
  private static func cacheKey(heap: UInt64) -> UInt64 {
    var size: UInt64 = 0
    guard ForeignMemory.copy(from: heap + 8, to: &size), size & ~flags == cacheChunk else { return 0 }
    for bin in 0..<cacheBins {
      var entry: UInt64 = 0
      var key: UInt64 = 0
      guard ForeignMemory.copy(from: heap + 16 + cacheBins * 2 + bin * 8, to: &entry) else { return 0 }
      if entry != 0, entry & 15 == 0, ForeignMemory.copy(from: entry + 8, to: &key) { return key }
    }
    return 0
  }
}
