/// Finds out whether objects of given sizes live on glibc's heap, without its help and without stopping anybody.
///
/// The format (malloc/malloc.c of glibc, the same since 2.3): a chunk begins with the size of the chunk before it,
/// which belongs to that one's user while it is in use, and its own size with three flags in the low bits; then comes
/// what malloc returned. Whether a chunk is in use is told by PREV_INUSE of the chunk behind it, but chunks in a
/// thread's cache (tcache) and in fast bins count as used there. The former have a key in their second word.
///
/// Memory that was freed keeps the headers of what it was before. So heaps are gone through from their first chunk on
/// (`HeapWalk`), and what lies inside a free chunk does not count. Elsewhere, and where a heap changes meanwhile,
/// whatever looks like a chunk may be one. What can't be told to be free counts as alive.
struct HeapObjects {
  /// Live objects of one size.
  struct Count: Equatable {
    /// What malloc was asked for.
    let request: UInt64
    var count: Int
  }

  /// What malloc was asked for.
  let requests: [UInt64]
  /// The sizes of chunks for requests of the sizes looked for, sorted.
  private var sizes: [UInt64] = []
  private let smallest: UInt64
  private let largest: UInt64
  /// Memory that is known to be something else: buffers of stdio streams, which have common sizes.
  var others: [UInt64]
  /// Luci's own memory, which holds sizes as numbers.
  var own: [AddressRange] = []

  static var flags: UInt64 { 7 }
  static var previousInUse: UInt64 { 1 }
  /// The chunk is a mapping of its own.
  private static var isMapped: UInt64 { 2 }
  /// More than that malloc isn't asked for here.
  static var limit: UInt64 { 1 << 30 }
  /// sizeof(tcache_perthread_struct) as a chunk: 64 counts of two bytes and 64 lists; the first chunk of a heap.
  static var cacheChunk: UInt64 { 0x290 }
  private static var cacheBins: UInt64 { 64 }

  /// `requests`: what malloc was asked for, in bytes. nil where there are none.
  init?(requests: [UInt64], others: [UInt64] = []) {
    for request in requests {
      guard request < HeapObjects.limit else { return nil }
      for size in HeapObjects.chunks(for: request) where !sizes.contains(size) { sizes.append(size) }
    }
    sizes.sort()
    guard let smallest = sizes.first, let largest = sizes.last else { return nil }
    (self.requests, self.smallest, self.largest, self.others) = (requests, smallest, largest, others)
  }

  /// SIZE_SZ is added, MALLOC_ALIGNMENT is 16, MINSIZE 32; a rest smaller than MINSIZE stays with the chunk. From
  /// M_MMAP_THRESHOLD on, which adapts itself, an object may be mapped by itself, in whole pages.
  private static func chunks(for request: UInt64) -> [UInt64] {
    let size = max(32, (request + 8 + 15) & ~15)
    return [size, size + 16, (size + 8 + Segments.pageSize - 1) & ~(Segments.pageSize - 1)]
  }

  /// How many objects there are of each size.
  func counts(of found: [UInt64]) -> [Count] {
    var result: [Count] = []
    for object in found {
      var word: UInt64 = 0
      guard ForeignMemory.copy(from: object - 8, to: &word),
        let request = requests.first(where: { HeapObjects.chunks(for: $0).contains(word & ~HeapObjects.flags) })
      else { continue }
      if let index = result.firstIndex(where: { $0.request == request }) {
        result[index].count += 1
      } else {
        result.append(Count(request: request, count: 1))
      }
    }
    return result
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
    for map in plain where found.count < limit {
      var here: [UInt64] = []
      for _ in 0..<HeapObjects.attempts {
        var walk = HeapWalk(map)
        here = objects(in: map.range, window, key, &walk, limit: limit - found.count)
        // Remains may be among it where the heap changed on the way.
        if here.isEmpty || !walk.isLost { break }
      }
      found += here
    }
    return found
  }

  private static var attempts: Int { 3 }

  private func objects(
    in range: AddressRange, _ window: UInt64, _ key: UInt64, _ walk: inout HeapWalk, limit: Int
  ) -> [UInt64] {
    var found: [UInt64] = []
    var start = range.start
    while start < range.end, found.count < limit {
      let size = min(HeapObjects.window, range.end - start)
      let got = ForeignMemory.copy(from: start, to: ProcessMemory.buffer(at: window, count: size), count: Int(size))
      look(ProcessMemory.bytes(at: window, count: UInt64(got)), at: start, in: range, key, &walk, &found)
      // Past a page that can't be read.
      start += max(UInt64(got) & ~(Segments.pageSize - 1), Segments.pageSize)
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
    _ words: Bytes, at start: UInt64, in range: AddressRange, _ key: UInt64, _ walk: inout HeapWalk,
    _ found: inout [UInt64]
  ) {
    var position = 8
    while position + 8 <= words.count {
      let chunk = start + UInt64(position) - 8
      if walk.freeEnd > chunk {
        position = Int(min(walk.freeEnd - start, UInt64(words.count))) + 8
        continue
      }
      let header = words.load(UInt64.self, at: position) ?? 0
      walk.pass(chunk, header, words, at: start)
      let size = header & ~HeapObjects.flags
      if size >= smallest, size <= largest, sizes.contains(size), isAlive(chunk: chunk, header, in: range, key) {
        found.append(chunk + 16)
      }
      position += 16
    }
  }

  /// A glance at one object that was found: false, it is free.
  static func seemsAlive(_ object: UInt64) -> Bool {
    var header: UInt64 = 0
    guard ForeignMemory.copy(from: object - 8, to: &header) else { return false }
    if header & isMapped != 0 { return true }
    var following: UInt64 = 0
    return ForeignMemory.copy(from: object - 8 &+ (header & ~flags), to: &following) && following & previousInUse != 0
  }

  private func isAlive(chunk: UInt64, _ header: UInt64, in range: AddressRange, _ key: UInt64) -> Bool {
    let size = header & ~HeapObjects.flags
    let next = chunk + size
    if header & HeapObjects.isMapped != 0 {
      return chunk & (Segments.pageSize - 1) == 0 && size & (Segments.pageSize - 1) == 0 && next <= range.end
        && !others.contains(chunk + 16) && !own.contains { $0.contains(chunk) }
    }
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
