import CKernel

/// A name with its hashes, so that a look-up over many objects computes them once.
public struct SymbolName {
  public let bytes: Bytes
  /// The GNU hash (DJB: h * 33 + c, from 5381), as in .gnu.hash.
  public let gnuHash: UInt32

  public init(_ bytes: Bytes) {
    self.bytes = bytes
    gnuHash = SymbolName.gnuHash(bytes)
  }

  /// The NUL-terminated string at `offset` of a string table, its end and its hash found in one pass; nil where it
  /// does not end inside.
  @inline(__always)
  public init?(in strings: Bytes, at offset: UInt64) {
    guard offset < UInt64(strings.count) else { return nil }
    let first = Int(offset)
    var end = first
    var hash: UInt32 = 5381
    while let word = strings.load(UInt64.self, at: end) {
      // Borrows reach the high bit of the lowest byte that is 0, and maybe of others above it.
      let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
      if zeros != 0 {
        let rest = zeros.trailingZeroBitCount / 8
        bytes = Bytes(start: strings.address + first, count: end &- first &+ rest)
        gnuHash = SymbolName.combine(hash, word, first: rest)
        return
      }
      hash = SymbolName.combine(hash, word)
      end &+= 8
    }
    while end < strings.count {
      let byte = strings[end]
      if byte == 0 {
        bytes = Bytes(start: strings.address + first, count: end &- first)
        gnuHash = hash
        return
      }
      hash = hash &* 33 &+ UInt32(byte)
      end &+= 1
    }
    return nil
  }

  /// Eight steps of the GNU hash at once: pairs of bytes, pairs of those, and then both halves, in place of a chain of
  /// eight multiplications.
  @inline(__always)
  static func combine(_ hash: UInt32, _ word: UInt64) -> UInt32 {
    let even: UInt64 = 0x00ff_00ff_00ff_00ff
    let pairs = (word & even) &* 33 &+ (word >> 8 & even)
    let low: UInt64 = 0x0000_ffff_0000_ffff
    let fours = (pairs & low) &* 1089 &+ (pairs >> 16 & low)
    let first = UInt32(truncatingIfNeeded: fours)
    // 33⁸ modulo 2³², 33⁴.
    return hash &* 0x747c_7101 &+ first &* 1_185_921 &+ UInt32(truncatingIfNeeded: fours >> 32)
  }

  /// The steps for the lowest `count` bytes, at most 7. Moved to the top of a word of zeros they come to the same sum.
  @inline(__always)
  static func combine(_ hash: UInt32, _ word: UInt64, first count: Int) -> UInt32 {
    // Shifted in two steps: 64 at once would be none.
    let moved = (word << 8) &<< UInt64(56 &- 8 &* count)
    var power: UInt32 = count & 1 != 0 ? 33 : 1
    if count & 2 != 0 { power &*= 1089 }
    if count & 4 != 0 { power &*= 1_185_921 }
    return combine(0, moved) &+ hash &* power
  }

  public init(_ literal: StaticString) { self.init(Bytes(literal)) }

  public static func gnuHash(_ bytes: Bytes) -> UInt32 {
    var hash: UInt32 = 5381
    for index in 0..<bytes.count { hash = hash &* 33 &+ UInt32(bytes[index]) }
    return hash
  }

  /// The System V hash (gABI, "Hash Table"), also used for version names.
  public static func sysvHash(_ bytes: Bytes) -> UInt32 {
    var hash: UInt32 = 0
    for index in 0..<bytes.count {
      hash = (hash << 4) &+ UInt32(bytes[index])
      hash ^= (hash >> 24) & 0xf0
      hash &= 0x0fff_ffff
    }
    return hash
  }
}

/// DT_GNU_HASH: header, bloom filter, buckets, chains. Bounds hold for every access, and a chain ends at the
/// end of the table at the latest, so that a damaged one costs time once and nothing else.
public struct GNUHashTable {
  let table: Bytes
  let bucketCount: UInt32
  /// Index of the first symbol that the table knows; undefined ones come before.
  public let firstSymbol: UInt32
  let bloomCount: UInt32
  let bloomShift: UInt32
  let bucketsOffset: Int
  let chainsOffset: Int

  public init(_ image: Image, at address: UInt64) throws(ELFError) {
    guard let table = image.bytes(from: address),
      let bucketCount = table.load(UInt32.self, at: 0),
      let firstSymbol = table.load(UInt32.self, at: 4),
      let bloomCount = table.load(UInt32.self, at: 8),
      let bloomShift = table.load(UInt32.self, at: 12),
      bloomCount & (bloomCount &- 1) == 0
    else { throw ELFError(.hashTable, at: address) }
    bucketsOffset = 16 + Int(bloomCount) * 8
    chainsOffset = bucketsOffset + Int(bucketCount) * 4
    guard chainsOffset <= table.count else { throw ELFError(.hashTable, at: address) }
    self.table = table
    self.bucketCount = bucketCount
    self.firstSymbol = firstSymbol
    self.bloomCount = bloomCount
    self.bloomShift = bloomShift
  }

  /// Calls `accept` with the index of each symbol whose hash agrees, until it returns true.
  @inline(__always)
  public func forEachCandidate(_ hash: UInt32, _ accept: (Int) -> Bool) {
    if filter.mayContain(hash) { forEachFiltered(hash, accept) }
  }

  public var filter: BloomFilter { BloomFilter(self) }

  /// The same for a hash that has passed the filter.
  @inline(__always)
  public func forEachFiltered(_ hash: UInt32, _ accept: (Int) -> Bool) {
    guard bucketCount != 0 else { return }
    let bucket = Int(hash % bucketCount)
    guard var index = table.load(UInt32.self, at: bucketsOffset &+ bucket &* 4), index >= firstSymbol else { return }
    while let entry = table.load(UInt32.self, at: chainsOffset &+ Int(index &- firstSymbol) &* 4) {
      if (entry ^ hash) >> 1 == 0, accept(Int(index)) { return }
      if entry & 1 != 0 { return }
      guard index < UInt32.max else { return }
      index += 1
    }
  }

  /// Calls `body` with index and hash of the table's symbols below `limit`, in ascending order; the lowest bit of a
  /// hash is not in the table, and 0.
  @inline(__always)
  public func forEachHash(below limit: Int, _ body: (Int, UInt32) -> Void) {
    var index = Int(firstSymbol)
    var position = chainsOffset
    while index < limit, let entry = table.load(UInt32.self, at: position) {
      body(index, entry & ~1)
      index &+= 1
      position &+= 4
    }
  }

  /// One more than the highest symbol index, found by following the longest chain.
  public func symbolCount() -> Int {
    var highest: UInt32 = 0
    for bucket in 0..<Int(bucketCount) {
      highest = max(highest, table.load(UInt32.self, at: bucketsOffset + bucket * 4) ?? 0)
    }
    guard highest >= firstSymbol, bucketCount != 0 else { return Int(firstSymbol) }
    while let entry = table.load(UInt32.self, at: chainsOffset + Int(highest - firstSymbol) * 4) {
      if entry & 1 != 0 { return Int(highest) + 1 }
      guard highest < UInt32.max else { break }
      highest += 1
    }
    return Int(highest)
  }
}

/// The bloom filter of a GNU hash table, small enough to look through those of many objects in one loop: what does not
/// pass is not in the table.
public struct BloomFilter {
  /// The words; `mask` + 1 of them are there.
  private let words: UnsafeRawPointer
  private let mask: UInt32
  private let shift: UInt32
  /// Bits that count as set in every word.
  private let always: UInt64

  init(_ table: GNUHashTable) {
    // Without words everything passes, as far as there is something at all.
    guard table.bloomCount != 0 else {
      self.init(passing: table.bucketCount != 0)
      return
    }
    self.init(
      words: table.table.address + 16, mask: table.bloomCount &- 1, shift: table.bloomShift & 31, always: 0)
  }

  private init(words: UnsafeRawPointer, mask: UInt32, shift: UInt32, always: UInt64) {
    self.words = words
    self.mask = mask
    self.shift = shift
    self.always = always
  }

  /// Passes every hash, for objects with another kind of table, or none.
  public init(passing all: Bool) {
    self.init(
      words: UnsafeRawPointer(StaticString("\0\0\0\0\0\0\0\0").utf8Start), mask: 0, shift: 0,
      always: all ? UInt64.max : 0)
  }

  @inline(__always)
  public func mayContain(_ hash: UInt32) -> Bool {
    let word = always | words.loadUnaligned(fromByteOffset: Int((hash >> 6) & mask) &* 8, as: UInt64.self)
    return (word >> UInt64(hash & 63)) & (word >> UInt64((hash >> shift) & 63)) & 1 != 0
  }
}

/// DT_HASH (gABI, "Hash Table").
public struct SysVHashTable {
  let table: Bytes
  let bucketCount: UInt32
  public let chainCount: UInt32

  public init(_ image: Image, at address: UInt64) throws(ELFError) {
    guard let table = image.bytes(from: address),
      let bucketCount = table.load(UInt32.self, at: 0),
      let chainCount = table.load(UInt32.self, at: 4),
      8 + (UInt64(bucketCount) + UInt64(chainCount)) * 4 <= UInt64(table.count)
    else { throw ELFError(.hashTable, at: address) }
    self.table = table
    self.bucketCount = bucketCount
    self.chainCount = chainCount
  }

  public func forEachCandidate(_ name: Bytes, _ accept: (Int) -> Bool) {
    guard bucketCount != 0 else { return }
    let hash = SymbolName.sysvHash(name)
    var index = table.load(UInt32.self, at: 8 + Int(hash % bucketCount) * 4) ?? 0
    // A chain visits each symbol at most once: more steps mean a cycle.
    var steps: UInt32 = 0
    while index != 0, index < chainCount, steps < chainCount {
      if accept(Int(index)) { return }
      index = table.load(UInt32.self, at: 8 + Int(bucketCount) * 4 + Int(index) * 4) ?? 0
      steps += 1
    }
  }
}
