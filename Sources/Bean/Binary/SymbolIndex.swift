import CKernel

/// The dynamic symbols of an object with their versions, found by name, and the names of its functions and objects
/// by address (from .dynsym and, where the file is not stripped, .symtab).
public struct SymbolIndex {
  public struct Entry {
    public let name: Bytes
    /// Empty: unversioned.
    public let version: Bytes
    /// Of name and version; 0 is not special.
    public let hash: UInt64
    public let symbol: Symbol

    public var isExport: Bool {
      !symbol.isUndefined && !symbol.isLocal && symbol.visibility != STV_HIDDEN && symbol.visibility != STV_INTERNAL
    }
  }

  /// A named range of addresses.
  public struct Named {
    public let name: Bytes
    public let start: UInt64
    public let size: UInt64
    public let isFunction: Bool
    /// From .symtab, where names need not be unique.
    public let isLocal: Bool
    public var end: UInt64 { start &+ size }
  }

  /// By index of .dynsym.
  public let entries: [Entry]
  /// Exports, sorted by hash.
  private let exports: [Keyed]
  /// By the hash's highest bits: the first export that has them, or more.
  private let exportBlocks: [Int32]
  private let exportShift: UInt64
  /// Sorted by address.
  public let named: [Named]

  /// Throws `symbolTable` where the names are longer, taken together, than any file of this size can need.
  public init(_ file: ObjectFile, _ sections: Sections, _ debugSymbols: SymbolTable? = nil) throws(ELFError) {
    var budget = (file.bytes.count &+ (debugSymbols?.byteCount ?? 0)) &* 4 &+ 65536
    var all: [Entry] = []
    let count = min(try file.dynamicSymbolCount(), file.symbols.limit)
    all.reserveCapacity(count)
    for index in 0..<count {
      guard let symbol = file.symbols[index] else { break }
      let name = file.symbols.name(of: symbol) ?? .empty
      let version = file.versions?.version(of: index)?.name ?? .empty
      budget -= name.count + version.count
      guard budget > 0 else { throw ELFError(.symbolTable, at: UInt64(index)) }
      all.append(
        Entry(name: name, version: version, hash: SymbolIndex.hash(name, version), symbol: symbol))
    }
    entries = all
    var exports: [Keyed] = []
    exports.reserveCapacity(all.count)
    for index in 0..<all.count where all[index].isExport { exports.append(Keyed(key: all[index].hash, index: index)) }
    exports.sort(by: Keyed.isBefore)
    self.exports = exports
    (exportBlocks, exportShift) = SymbolIndex.blocks(exports)
    named = try SymbolIndex.names(debugSymbols ?? file.staticSymbols(sections), all, &budget)
  }

  /// As many blocks as there are exports, or half of them more.
  private static func blocks(_ exports: [Keyed]) -> ([Int32], UInt64) {
    let shift = UInt64(min(max(exports.count, 2), 1 << 20).leadingZeroBitCount)
    var blocks: [Int32] = []
    blocks.reserveCapacity(Int(UInt64.max >> shift) &+ 2)
    for (index, export) in exports.enumerated() {
      while UInt64(blocks.count) <= export.key >> shift { blocks.append(Int32(truncatingIfNeeded: index)) }
    }
    while UInt64(blocks.count) <= UInt64.max >> shift &+ 1 { blocks.append(Int32(truncatingIfNeeded: exports.count)) }
    return (blocks, shift)
  }

  static func hash(_ name: Bytes, _ version: Bytes) -> UInt64 {
    var hash = FNV1a()
    hash.combine(name)
    hash.combine(UInt8(0x40))
    hash.combine(version)
    return hash.value
  }

  private static func names(
    _ table: SymbolTable?, _ dynamic: [Entry], _ budget: inout Int
  ) throws(ELFError) -> [Named] {
    var found: [Named] = []
    found.reserveCapacity(dynamic.count + (table?.limit ?? 0))
    for entry in dynamic where isPlace(entry.symbol) {
      found.append(Named(entry.name, entry.symbol, isLocal: false))
    }
    if let table {
      for index in 0..<table.limit {
        guard let symbol = table[index], isPlace(symbol) else { continue }
        let name = table.name(of: symbol) ?? .empty
        budget -= name.count
        guard budget > 0 else { throw ELFError(.symbolTable, at: UInt64(index)) }
        found.append(Named(name, symbol, isLocal: true))
      }
    }
    found.sort { $0.start < $1.start }
    return found
  }

  private static func isPlace(_ symbol: Symbol) -> Bool {
    !symbol.isUndefined && !symbol.isAbsolute && (symbol.isFunction || symbol.isObject)
  }

  /// The export of this name and version.
  public func export(_ name: Bytes, _ version: Bytes, hash: UInt64) -> Entry? {
    let block = Int(hash >> exportShift)
    var (low, high) = (Int(exportBlocks[block]), Int(exportBlocks[block &+ 1]))
    while low < high {
      let middle = (low + high) / 2
      if exports[middle].key < hash { low = middle + 1 } else { high = middle }
    }
    while low < exports.count, exports[low].key == hash {
      let entry = entries[exports[low].index]
      if entry.name == name, entry.version == version { return entry }
      low += 1
    }
    return nil
  }

  /// The symbol that a relocation names; nil: none, or an index out of range.
  public func symbol(of relocation: RelocationIndex.Entry) -> Entry? {
    guard relocation.symbol != 0, Int(relocation.symbol) < entries.count else { return nil }
    return entries[Int(relocation.symbol)]
  }

  /// Index of the first name at or behind `address`.
  public func lowerBound(_ address: UInt64) -> Int {
    var low = 0
    var high = named.count
    while low < high {
      let middle = (low + high) / 2
      if named[middle].start < address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The named function or object that holds `address`. Names may overlap: the nearest few starts are looked at.
  public func name(containing address: UInt64) -> Named? {
    var index = lowerBound(address &+ 1)
    var steps = 0
    while index > 0, steps < 8 {
      index -= 1
      steps += 1
      let candidate = named[index]
      if address == candidate.start || address &- candidate.start < candidate.size { return candidate }
    }
    return nil
  }
}

extension SymbolIndex.Named {
  init(_ name: Bytes, _ symbol: Symbol, isLocal: Bool) {
    self.init(
      name: name, start: symbol.value, size: symbol.size, isFunction: symbol.isFunction, isLocal: isLocal)
  }
}
