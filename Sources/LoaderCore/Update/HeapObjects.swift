/// Finds out whether objects of given sizes live on glibc's heap, without its help and without stopping anybody.
///
/// The format (malloc/malloc.c of glibc, the same since 2.3): a chunk begins with the size of the chunk before it,
/// which belongs to that one's user while it is in use, and its own size with three flags in the low bits; then comes
/// what malloc returned. Whether a chunk is in use is told by PREV_INUSE of the chunk behind it, but chunks in a
/// thread's cache (tcache) and in fast bins count as used there. The former have a key in their second word.
///
/// Memory that was freed keeps the headers of what it was before, so that heaps are gone through from their first
/// chunk on as well (`HeapWalk`). What can't be told to be free counts as alive.
struct HeapObjects {
  /// Live objects of one size.
  struct Count: Equatable {
    /// What malloc was asked for, in bytes.
    let request: UInt64
    var count: UInt64
  }

  private let requests: [UInt64]
  /// The sizes of chunks for requests of the sizes looked for.
  private let sizes: [UInt64]
  private let smallest: UInt64
  private let largest: UInt64
  /// Memory that is known to be something else: buffers of stdio streams, which have common sizes.
  var others: [UInt64]
  /// Luci's own memory, which holds sizes as numbers.
  var own: [AddressRange] = []

  /// The word that marks chunks in a thread's cache, as the last look found it; 0: not known.
  private var key: UInt64 = 0

  static var flags: UInt64 { 7 }
  private static var previousInUse: UInt64 { 1 }
  /// Larger objects are mapped one by one, in whole pages (M_MMAP_THRESHOLD).
  static var limit: UInt64 { 128 << 10 }
  /// sizeof(tcache_perthread_struct) as a chunk: 64 counts of two bytes and 64 lists; the first chunk of a heap.
  static var cacheChunk: UInt64 { 0x290 }
  private static var cacheBins: UInt64 { 64 }

  /// `requests`: what malloc was asked for, in bytes. nil where one of them is too large to be told from the size.
  init?(requests: [UInt64], others: [UInt64] = []) {
    var sizes: [UInt64] = []
    for request in requests {
      guard request < HeapObjects.limit else { return nil }
      for size in HeapObjects.chunkSizes(for: request) where !sizes.contains(size) { sizes.append(size) }
    }
    guard let smallest = sizes.min(), let largest = sizes.max() else { return nil }
    self.requests = requests
    (self.sizes, self.smallest, self.largest, self.others) = (sizes, smallest, largest, others)
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
    var found: [UInt64] = []
    for map in plain where found.count < limit {
      found += chunks(in: map, window, limit: limit - found.count).map { $0 + 16 }
    }
    return found
  }

  /// The chunks of these sizes in one mapping that can't be told to be free, as soon as there are `limit`.
  private func chunks(in map: FreeSpace.Occupied, _ window: HeapWindow, limit: Int) -> [UInt64] {
    var start = map.range.start
    var room = max(limit, HeapObjects.fewest)
    while start < map.range.end {
      let places = places(in: map.range, from: &start, window, limit: room)
      let found = places.isEmpty ? [] : confirmed(places, in: map, window)
      if !found.isEmpty { return Array(found.prefix(limit)) }
      room *= 4
    }
    return []
  }

  /// So many places at least are gone to at a time.
  private static var fewest: Int { 64 }

  /// What looks like a chunk from `start` on, which is left where the search has to go on.
  private func places(
    in range: AddressRange, from start: inout UInt64, _ window: HeapWindow, limit: Int
  ) -> [UInt64] {
    var window = window
    var found: [UInt64] = []
    while start < range.end, found.count < limit {
      let bytes = window.move(to: start, size: range.end - start)
      look(bytes, at: start, in: range, &found)
      // Past a page that can't be read.
      start += max(UInt64(bytes.count) & ~(Segments.pageSize - 1), Segments.pageSize)
    }
    return found
  }

  /// Without those that are certain to lie inside a chunk.
  private func confirmed(_ places: [UInt64], in map: FreeSpace.Occupied, _ window: HeapWindow) -> [UInt64] {
    var found = places
    for _ in 0..<2 where !found.isEmpty {
      var walk = HeapWalk(map, window)
      guard let chunks = walk.chunks(among: found) else { return found }
      found = chunks
    }
    return found
  }

  /// A glance at an object that was found, or at anything that is none: whether it may be one now.
  func mayBeAlive(_ object: UInt64) -> Bool {
    var header: UInt64 = 0
    guard object & 15 == 0, object >= 16, ForeignMemory.copy(from: object - 8, to: &header) else { return false }
    let size = header & ~HeapObjects.flags
    return sizes.contains(size) && isInUse(chunk: object - 16, size, nil) { _ in true }
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
    while position + 8 <= words.count {
      let size = (words.load(UInt64.self, at: position) ?? 0) & ~HeapObjects.flags
      if size >= smallest, size <= largest, sizes.contains(size) {
        let chunk = start + UInt64(position) - 8
        let inside = position + Int(size) + 8 <= words.count
        let following = inside ? words.load(UInt64.self, at: position + Int(size)) : nil
        if isAlive(chunk: chunk, size, following, in: range) { found.append(chunk) }
      }
      position += 16
    }
  }

  /// `following`: the header of the chunk behind, if it has been read.
  private func isAlive(chunk: UInt64, _ size: UInt64, _ following: UInt64?, in range: AddressRange) -> Bool {
    guard chunk + size + 16 <= range.end, !others.contains(chunk + 16), !own.contains(where: { $0.contains(chunk) })
    else { return false }
    return isInUse(chunk: chunk, size, following) { $0 <= range.end - (chunk + size) }
  }

  /// `isSize`: whether the chunk behind may have this size.
  private func isInUse(chunk: UInt64, _ size: UInt64, _ following: UInt64?, _ isSize: (UInt64) -> Bool) -> Bool {
    var header = following ?? 0
    // Memory that goes away meanwhile has no objects.
    if following == nil, !ForeignMemory.copy(from: chunk &+ size &+ 8, to: &header) { return false }
    let nextSize = header & ~HeapObjects.flags
    // Anything may look like a size. Behind a chunk there is another one.
    guard nextSize >= 16, nextSize & 15 == 0, isSize(nextSize), header & HeapObjects.previousInUse != 0 else {
      return false
    }
    var second: UInt64 = 0
    return key == 0 || !ForeignMemory.copy(from: chunk + 24, to: &second) || second != key
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
