/// The way from chunk to chunk through a heap of glibc's: everything between is no chunk, whatever it looks like.
struct HeapWalk {
  /// Where the next chunk must be; nil: not known, any place may be one.
  private(set) var expected: UInt64?
  private let end: UInt64

  init(_ map: FreeSpace.Occupied) {
    end = map.range.end
    expected = map.isHeap ? map.range.start : HeapWalk.firstChunk(map.range)
  }

  /// Given what stands as a header at the place that was expected. The last chunk of a heap, which nobody has, reaches
  /// up to its end.
  mutating func pass(_ chunk: UInt64, _ header: UInt64) {
    guard expected == chunk else { return }
    let size = header & ~HeapObjects.flags
    // If it is not as it should be, it is no heap, or changed meanwhile.
    expected = size >= 32 && size & 15 == 0 && size <= end - chunk ? chunk + size : nil
  }

  /// HEAP_MAX_SIZE of malloc/arena.c: heaps of other arenas are aligned to it.
  private static var heapSize: UInt64 { 64 << 20 }

  /// Another arena's first heap: `struct heap_info`, `struct malloc_state`, whose size depends on the version, and then
  /// the cache of the thread that it was made for.
  private static func firstChunk(_ range: AddressRange) -> UInt64? {
    guard range.start & (heapSize - 1) == 0 else { return nil }
    var words = [UInt64](repeating: 0, count: 512)
    let count = ForeignMemory.words(at: range.start, into: &words)
    // In use, and not of the main arena.
    for index in stride(from: 5, to: count, by: 2) where words[index] == HeapObjects.cacheChunk | 5 {
      return range.start + UInt64(index - 1) * 8
    }
    return nil
  }
}
