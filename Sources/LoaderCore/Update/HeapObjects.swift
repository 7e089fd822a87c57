/// Finds out whether objects of given sizes live on glibc's heap, without its help and without stopping anybody.
///
/// The format (malloc/malloc.c of glibc, the same since 2.3): a chunk begins with the size of the chunk before it,
/// which belongs to that one's user while it is in use, and its own size with three flags in the low bits; then comes
/// what malloc returned. Whether a chunk is in use is told by PREV_INUSE of the chunk behind it, but chunks in a
/// thread's cache (tcache) and in fast bins count as used there. The former have a key in their second word.
///
/// glibc's heaps are gone through from chunk to chunk (`HeapWalk`). Where the allocator may have had to take memory
/// from elsewhere, all memory is searched for whatever looks like a chunk. What can't be told to be free counts as alive.
struct HeapObjects {
  /// Live objects of one size.
  struct Count: Equatable {
    /// What malloc was asked for, in bytes.
    let request: UInt64
    var count: UInt64
  }

  private let requests: [UInt64]
  private let sizes: ChunkSizes
  /// Memory that is known to be something else: buffers of stdio streams, which have common sizes.
  var others: [UInt64]
  /// Luci's own memory, which holds sizes as numbers.
  var own: [AddressRange] = []

  /// The allocator may have been told to map objects of any size one by one.
  var mapsSmall = false

  /// The word that marks chunks in a thread's cache, as the last look found it; 0: not known.
  private var key: UInt64 = 0

  static var flags: UInt64 { 7 }
  static var previousInUse: UInt64 { 1 }
  /// Larger objects are mapped one by one, in whole pages (M_MMAP_THRESHOLD).
  static var limit: UInt64 { 128 << 10 }
  /// sizeof(tcache_perthread_struct) as a chunk: 64 counts of two bytes and 64 lists; the first chunk of a heap.
  static var cacheChunk: UInt64 { 0x290 }
  private static var cacheBins: UInt64 { 64 }

  /// `requests`: what malloc was asked for, in bytes. nil where one of them is too large to be told from the size.
  init?(requests: [UInt64], others: [UInt64] = []) {
    var sizes = ChunkSizes()
    for request in requests {
      guard request < HeapObjects.limit else { return nil }
      for size in HeapObjects.chunkSizes(for: request) { sizes.insert(size) }
    }
    if sizes.isEmpty { return nil }
    (self.requests, self.sizes, self.others) = (requests, sizes, others)
  }

  /// SIZE_SZ is added, MALLOC_ALIGNMENT is 16, MINSIZE 32; a rest smaller than MINSIZE stays with the chunk.
  private static func chunkSizes(for request: UInt64) -> [UInt64] {
    let size = max(32, (request + 8 + 15) & ~15)
    return [size, size + 16]
  }

  /// How many of the objects found there are of each size.
  func counts(of found: [UInt64]) -> [Count] {
    var result: [Count] = []
    for object in found {
      var header: UInt64 = 0
      guard ForeignMemory.copy(from: object - 8, to: &header),
        let request = requests.first(where: {
          HeapObjects.chunkSizes(for: $0).contains(header & ~HeapObjects.flags)
        })
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
  mutating func find(in maps: [FreeSpace.Occupied], limit: Int = 1) -> [UInt64]? {
    let plain = maps.filter { $0.isPlain }
    guard plain.reduce(0, { $0 &+ $1.range.count }) < HeapObjects.memoryLimit, HeapObjects.canRead(),
      // `maps` were read before there is this window.
      let window = HeapWindow()
    else { return nil }
    defer { window.release() }
    key = 0
    for map in plain where map.isHeap && key == 0 { key = HeapObjects.cacheKey(heap: map.range.start) }
    let pages = try? PageMap()
    defer { pages?.close() }
    var found: [UInt64] = []
    var isAllInHeaps = false
    for map in plain.filter({ $0.isHeap }) + plain.filter({ !$0.isHeap }) {
      for part in HeapWalk.parts(of: map) where found.count < limit {
        var walk = HeapWalk(part, isMain: map.isHeap, window)
        if let objects = objects(&walk, limit - found.count) {
          found += objects
          if map.isHeap { isAllInHeaps = walk?.endsWithTop == true && !mapsSmall }
        } else if walk != nil || !isAllInHeaps {
          search(part, window, pages, limit: limit, &found)
        }
      }
    }
    return found
  }

  /// nil for what is no heap, and one that changes all the time: it is searched like other memory.
  private func objects(_ walk: inout HeapWalk?, _ limit: Int) -> [UInt64]? {
    if walk == nil { return nil }
    for _ in 0..<3 {
      guard let first = walk?.objects(of: sizes, limit: limit, where: isObject) else { continue }
      if !first.isEmpty { return first }
      if let second = walk?.objects(of: sizes, limit: limit, where: isObject) { return second }
    }
    return nil
  }

  /// Memory of any kind: whatever looks like a chunk that is in use may be one.
  private func search(
    _ range: AddressRange, _ window: HeapWindow, _ pages: PageMap?, limit: Int, _ found: inout [UInt64]
  ) {
    var window = window
    for part in pages?.presentParts(of: range) ?? [range] {
      var start = part.start
      while start < part.end, found.count < limit {
        let bytes = window.move(to: start, size: part.end - start)
        look(bytes, at: start, in: range, &found)
        // Past a page that can't be read.
        start += max(UInt64(bytes.count) & ~(Segments.pageSize - 1), Segments.pageSize)
      }
    }
  }

  /// A glance at an object that was found, or at anything that is none: whether it may be one now.
  func mayBeAlive(_ object: UInt64) -> Bool {
    var header: UInt64 = 0
    guard object & 15 == 0, object >= 16, ForeignMemory.copy(from: object - 8, to: &header) else { return false }
    let size = header & ~HeapObjects.flags
    return sizes.contains(size) && isInUse(chunk: object - 16, size, room: .max) && isObject(object)
  }

  /// Where process_vm_readv(2) is forbidden, nothing is found anywhere.
  private static func canRead() -> Bool {
    var probe: UInt64 = 0x6c75_6369
    let address = withUnsafePointer(to: &probe) { UInt64(UInt(bitPattern: $0)) }
    var copy: UInt64 = 0
    return ForeignMemory.copy(from: address, to: &copy)
  }

  /// Chunks are aligned to 16 bytes: sizes stand in every second word.
  private func look(_ words: Bytes, at start: UInt64, in range: AddressRange, _ found: inout [UInt64]) {
    var position = 8
    while let header = words.load(UInt64.self, at: position) {
      let size = header & ~HeapObjects.flags
      if sizes.contains(size) {
        let chunk = start &+ UInt64(position) &- 8
        let room = range.end &- chunk
        if size &+ 16 <= room, isInUse(chunk: chunk, size, room: room &- size), isObject(chunk + 16) {
          found.append(chunk + 16)
        }
      }
      position &+= 16
    }
  }

  /// Behind a chunk of that size there is another one of at most `room` bytes, which says that it is in use.
  private func isInUse(chunk: UInt64, _ size: UInt64, room: UInt64) -> Bool {
    var header: UInt64 = 0
    // Memory that goes away meanwhile has no objects.
    guard ForeignMemory.copy(from: chunk &+ size &+ 8, to: &header) else { return false }
    let nextSize = header & ~HeapObjects.flags
    return nextSize >= 16 && nextSize & 15 == 0 && nextSize <= room && header & HeapObjects.previousInUse != 0
  }

  /// It is not of a kind that is known to be something else, nor in a thread's cache.
  private func isObject(_ object: UInt64) -> Bool {
    if others.contains(object) || own.contains(where: { $0.contains(object) }) { return false }
    var second: UInt64 = 0
    return key == 0 || !ForeignMemory.copy(from: object + 8, to: &second) || second != key
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
