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
    guard bucketCount != 0 else { return }
    if bloomCount != 0 {
      let word = table.load(UInt64.self, at: 16 &+ Int((hash / 64) & (bloomCount &- 1)) &* 8) ?? 0
      let bits: UInt64 = (1 << UInt64(hash & 63)) | (1 << UInt64((hash >> (bloomShift & 31)) & 63))
      if word & bits != bits { return }
    }
    let bucket = Int(hash % bucketCount)
    guard var index = table.load(UInt32.self, at: bucketsOffset &+ bucket &* 4), index >= firstSymbol else { return }
    while let entry = table.load(UInt32.self, at: chainsOffset &+ Int(index &- firstSymbol) &* 4) {
      if (entry ^ hash) >> 1 == 0, accept(Int(index)) { return }
      if entry & 1 != 0 { return }
      guard index < UInt32.max else { return }
      index += 1
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
