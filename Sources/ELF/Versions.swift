import CKernel

/// A version that a symbol is defined with or that a reference needs (gABI GNU additions, "Symbol Versioning").
public struct SymbolVersion {
  public let name: Bytes
  /// The System V hash of the name, as vna_hash and vd_hash hold it.
  public let hash: UInt32
  /// For a need: the file it is needed from (DT_NEEDED spelling). For a definition: empty.
  public let file: Bytes
  /// VER_FLG_WEAK of a need: its absence is no error.
  public let isWeak: Bool

  public init(name: Bytes, hash: UInt32, file: Bytes, isWeak: Bool) {
    self.name = name
    self.hash = hash
    self.file = file
    self.isWeak = isWeak
  }

  /// A version by name alone, as dlvsym(3) asks for it.
  public init(named name: Bytes) {
    self.init(name: name, hash: SymbolName.sysvHash(name), file: .empty, isWeak: false)
  }

  public func isSame(as other: SymbolVersion) -> Bool { hash == other.hash && name == other.name }
}

/// DT_VERSYM, DT_VERNEED and DT_VERDEF of one object: which version each symbol index has.
public struct VersionTable {
  public enum Requirement {
    /// No version is asked for (no table, local or global index).
    case none
    case version(SymbolVersion)
  }

  let indices: Bytes?
  /// By version index (1…32767); the low ones are reserved.
  private var byIndex: [SymbolVersion?] = []
  /// Versions that this object defines, the base version left out.
  public private(set) var definitions: [SymbolVersion] = []
  /// Versions that this object needs.
  public private(set) var needs: [SymbolVersion] = []

  public var isEmpty: Bool { indices == nil }

  /// At most as many records as a 15-bit version index can name.
  static var maximumRecords: UInt64 { 32768 }

  public init(_ image: Image, _ dynamic: DynamicSection, _ symbols: SymbolTable) throws(ELFError) {
    if let address = dynamic.versionSymbols {
      guard let bytes = image.bytes(from: address) else { throw ELFError(.versionTable, at: address) }
      indices = bytes
    } else {
      indices = nil
    }
    if let address = dynamic.versionDefinitions {
      try readDefinitions(image, at: address, count: dynamic.versionDefinitionCount, symbols)
    }
    if let address = dynamic.versionNeeds {
      try readNeeds(image, at: address, count: dynamic.versionNeedCount, symbols)
    }
  }

  private mutating func readDefinitions(
    _ image: Image, at start: UInt64, count: UInt64, _ symbols: SymbolTable
  ) throws(ELFError) {
    guard let table = image.bytes(from: start) else { throw ELFError(.versionTable, at: start) }
    byIndex.reserveCapacity(Int(min(count, 62)) + 2)
    definitions.reserveCapacity(Int(min(count, 64)))
    var offset: UInt64 = 0
    for _ in 0..<min(count, VersionTable.maximumRecords) {
      guard let record = table.load(Elf64_Verdef.self, at: offset),
        let auxiliary = table.load(Elf64_Verdaux.self, at: offset + UInt64(record.vd_aux)),
        let name = symbols.string(at: UInt64(auxiliary.vda_name))
      else { throw ELFError(.versionTable, at: start + offset) }
      let version = SymbolVersion(name: name, hash: record.vd_hash, file: .empty, isWeak: false)
      // The base version is the object's own name: what has its index is unversioned, and a symbol that is not defined
      // here asks for no version (as glibc's _dl_check_map_versions has it).
      if record.vd_flags & UInt16(VER_FLG_BASE) == 0 {
        set(Int(record.vd_ndx & 0x7fff), version)
        definitions.append(version)
      }
      if record.vd_next == 0 { return }
      offset += UInt64(record.vd_next)
    }
  }

  private mutating func readNeeds(
    _ image: Image, at start: UInt64, count: UInt64, _ symbols: SymbolTable
  ) throws(ELFError) {
    guard let table = image.bytes(from: start) else { throw ELFError(.versionTable, at: start) }
    var offset: UInt64 = 0
    for _ in 0..<min(count, VersionTable.maximumRecords) {
      guard let record = table.load(Elf64_Verneed.self, at: offset),
        let file = symbols.string(at: UInt64(record.vn_file))
      else { throw ELFError(.versionTable, at: start + offset) }
      var inner = offset + UInt64(record.vn_aux)
      for _ in 0..<record.vn_cnt {
        guard let auxiliary = table.load(Elf64_Vernaux.self, at: inner),
          let name = symbols.string(at: UInt64(auxiliary.vna_name)),
          needs.count < Int(VersionTable.maximumRecords)
        else { throw ELFError(.versionTable, at: start + inner) }
        let version = SymbolVersion(
          name: name, hash: auxiliary.vna_hash, file: file,
          isWeak: auxiliary.vna_flags & UInt16(VER_FLG_WEAK) != 0)
        set(Int(auxiliary.vna_other & 0x7fff), version)
        needs.append(version)
        if auxiliary.vna_next == 0 { break }
        inner += UInt64(auxiliary.vna_next)
      }
      if record.vn_next == 0 { return }
      offset += UInt64(record.vn_next)
    }
  }

  private mutating func set(_ index: Int, _ version: SymbolVersion) {
    while byIndex.count <= index { byIndex.append(nil) }
    byIndex[index] = version
  }

  /// The raw DT_VERSYM entry; nil without a table.
  @inline(__always)
  public func rawIndex(of symbol: Int) -> UInt16? {
    indices?.load(UInt16.self, at: symbol &* 2)
  }

  /// The raw table, empty where there is none; two bytes for each symbol.
  public var rawTable: Bytes { indices ?? .empty }

  /// One more than the highest version index that names a version.
  public var limit: Int { byIndex.count }

  public subscript(index: Int) -> SymbolVersion? {
    index >= 0 && index < byIndex.count ? byIndex[index] : nil
  }

  /// The version of the symbol at `index`, its own for a definition, the one it asks for else.
  public func version(of symbol: Int) -> SymbolVersion? {
    guard let raw = rawIndex(of: symbol) else { return nil }
    let index = Int(raw & 0x7fff)
    guard index < byIndex.count else { return nil }
    return byIndex[index]
  }

  /// A definition with the hidden bit serves only references that name its version.
  public func isHidden(_ symbol: Int) -> Bool { (rawIndex(of: symbol) ?? 0) & 0x8000 != 0 }

  /// Does the definition at `symbol` satisfy a reference that asks for `wanted`?
  ///
  /// The rules of glibc's do_lookup: with a version, the definition's must be the same, or the object have none
  /// at all, or the definition be unversioned; without one, the default (not hidden) or an old base version.
  @inline(__always)
  public func satisfies(_ symbol: Int, _ wanted: SymbolVersion?) -> Bool {
    guard let raw = rawIndex(of: symbol) else { return true }
    let index = Int(raw & 0x7fff)
    guard let wanted else { return raw & 0x8000 == 0 || index <= 2 }
    if index <= 1 { return raw & 0x8000 == 0 }
    guard index < byIndex.count, let own = byIndex[index] else { return false }
    return own.isSame(as: wanted)
  }
}
