import CKernel

/// One entry of a symbol table (gABI, "Symbol Table").
public struct Symbol {
  public let nameOffset: UInt64
  public let info: UInt8
  public let other: UInt8
  public let sectionIndex: UInt16
  public let value: UInt64
  public let size: UInt64

  public init(_ entry: Elf64_Sym) {
    nameOffset = UInt64(entry.st_name)
    info = entry.st_info
    other = entry.st_other
    sectionIndex = entry.st_shndx
    value = entry.st_value
    size = entry.st_size
  }

  public var type: Int32 { Int32(info & 0xf) }
  public var binding: Int32 { Int32(info >> 4) }
  public var visibility: Int32 { Int32(other & 3) }
  public var isUndefined: Bool { sectionIndex == UInt16(SHN_UNDEF) }
  public var isAbsolute: Bool { sectionIndex == 0xfff1 }
  public var isWeak: Bool { binding == STB_WEAK }
  /// STB_GNU_UNIQUE.
  public var isUnique: Bool { binding == 10 }
  public var isLocal: Bool { binding == STB_LOCAL }
  public var isFunction: Bool { type == STT_FUNC || type == STT_GNU_IFUNC }
  public var isIFunc: Bool { type == STT_GNU_IFUNC }
  public var isTLS: Bool { type == STT_TLS }
  public var isObject: Bool { type == STT_OBJECT || type == STT_COMMON }
}

/// A symbol table with its strings: .dynsym of an object, or .symtab of a file.
public struct SymbolTable {
  let entries: Bytes
  let strings: Bytes

  public init(entries: Bytes, strings: Bytes) {
    self.entries = entries
    self.strings = strings
  }

  /// DT_SYMTAB and DT_STRTAB. The dynamic section does not tell the number of symbols: entries reach at most to
  /// the end of their segment, and each access is checked.
  public init(_ image: Image, _ dynamic: DynamicSection) throws(ELFError) {
    if dynamic.symbols == 0 && dynamic.strings.address == 0 {
      self.init(entries: .empty, strings: .empty)
      return
    }
    guard let strings = image.bytes(at: dynamic.strings.address, count: dynamic.strings.size) else {
      throw ELFError(.stringTable, at: dynamic.strings.address)
    }
    guard let entries = image.bytes(from: dynamic.symbols) else {
      throw ELFError(.symbolTable, at: dynamic.symbols)
    }
    // Where the string table follows the symbols (as linkers lay it out), it is their end.
    let reach =
      dynamic.strings.address > dynamic.symbols
      ? min(UInt64(entries.count), dynamic.strings.address - dynamic.symbols) : UInt64(entries.count)
    self.init(entries: entries.slice(at: 0, count: reach) ?? entries, strings: strings)
  }

  /// Bytes of symbols and names together.
  public var byteCount: Int { entries.count &+ strings.count }

  /// Upper bound of the number of symbols.
  public var limit: Int { entries.count / MemoryLayout<Elf64_Sym>.size }

  @inline(__always)
  public subscript(index: Int) -> Symbol? {
    guard index >= 0, index < limit,
      let entry = entries.load(Elf64_Sym.self, at: index &* MemoryLayout<Elf64_Sym>.size)
    else { return nil }
    return Symbol(entry)
  }

  /// The symbol's name; nil where the offset lies outside the string table.
  public func name(of symbol: Symbol) -> Bytes? { strings.cString(at: symbol.nameOffset) }

  /// The symbol's name with its hash.
  @inline(__always)
  public func hashedName(of symbol: Symbol) -> SymbolName? { hashedName(at: symbol.nameOffset) }
  @inline(__always)
  public func hashedName(at offset: UInt64) -> SymbolName? { SymbolName(in: strings, at: offset) }

  /// For an entry that is looked at soon, and then for its name.
  @inline(__always)
  public func prefetch(_ index: Int) {
    entries.prefetch(at: UInt64(truncatingIfNeeded: index &* MemoryLayout<Elf64_Sym>.size))
  }
  @inline(__always)
  public func prefetchName(of symbol: Symbol) { strings.prefetch(at: symbol.nameOffset) }

  /// A name by its offset, for DT_NEEDED, DT_SONAME, versions and the like: at most as long as a path (PATH_MAX).
  public func string(at offset: UInt64) -> Bytes? { strings.cString(at: offset, limit: 4096) }

  /// Compares without first looking for the string's end.
  @inline(__always)
  public func matches(_ symbol: Symbol, _ name: Bytes) -> Bool {
    guard let candidate = strings.slice(at: symbol.nameOffset, count: UInt64(name.count)) else { return false }
    return candidate == name && strings.load(UInt8.self, at: Int(symbol.nameOffset) + name.count) == 0
  }
}
