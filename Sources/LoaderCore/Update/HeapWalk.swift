/// The way from chunk to chunk through a heap of glibc's, by which free chunks are known.
struct HeapWalk {
  /// Where the next chunk must be; nil: not known.
  private(set) var expected: UInt64?
  /// The way was known, and is no longer: the heap changed, or is none.
  private(set) var isLost = false
  /// Up to there lies a free chunk: what is inside is no chunk, whatever it looks like.
  private(set) var freeEnd: UInt64 = 0
  private let end: UInt64

  init(_ map: FreeSpace.Occupied) {
    end = map.range.end
    expected = map.isHeap ? map.range.start : HeapWalk.firstChunk(map.range)
  }

  /// Given what stands as a header at the next place that was looked at; `words`: memory from `start` on.
  mutating func pass(_ chunk: UInt64, _ header: UInt64, _ words: Bytes, at start: UInt64) {
    guard let place = expected, place <= chunk else { return }
    let size = header & ~HeapObjects.flags
    guard place == chunk, size >= 32, size & 15 == 0, size <= end - chunk else {
      expected = nil
      isLost = true
      return
    }
    let next = chunk + size
    expected = next
    if isFree(size, next, words, start) { freeEnd = next }
  }

  /// A free chunk's size stands behind it as well, and PREV_INUSE is off there. The last chunk of a heap, which nobody
  /// has, reaches up to its end.
  private func isFree(_ size: UInt64, _ next: UInt64, _ words: Bytes, _ start: UInt64) -> Bool {
    if next == end { return true }
    guard next + 16 <= end else { return false }
    var (footer, header): (UInt64, UInt64) = (0, 0)
    if next - start + 16 <= UInt64(words.count) {
      footer = words.load(UInt64.self, at: Int(next - start)) ?? 0
      header = words.load(UInt64.self, at: Int(next - start) + 8) ?? 1
    } else if !ForeignMemory.copy(from: next, to: &footer) || !ForeignMemory.copy(from: next + 8, to: &header) {
      return false
    }
    return footer == size && header & HeapObjects.previousInUse == 0
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
