import CKernel

/// Everything of an executable or shared object that its tables say, read and checked from the bytes of its
/// file. The entry point for whoever looks at a file; the loader puts the same pieces over a mapping.
public struct ObjectFile {
  public let bytes: Bytes
  public let header: FileHeader
  public let segments: Segments
  public let image: Image
  /// nil: statically linked, without a dynamic section.
  public let dynamic: DynamicSection?
  public let symbols: SymbolTable
  public let versions: VersionTable?
  /// Of a separate debug file, for one that is stripped.
  public var debugSymbols: SymbolTable?

  public init(_ bytes: Bytes) throws(ELFError) {
    self.bytes = bytes
    header = try FileHeader(bytes)
    segments = try Segments(bytes, header)
    image = Image(file: bytes, segments: segments)
    if let range = segments.dynamic {
      let section = try DynamicSection(image, at: range)
      symbols = try SymbolTable(image, section)
      versions = try VersionTable(image, section, symbols)
      dynamic = section
    } else {
      dynamic = nil
      symbols = SymbolTable(entries: .empty, strings: .empty)
      versions = nil
    }
  }

  /// PT_INTERP without its NUL.
  public var interpreter: Bytes? {
    guard let range = segments.interpreter,
      let bytes = bytes.slice(at: range.start, count: range.count)
    else { return nil }
    return bytes.cString(at: 0)
  }

  public func sections() throws(ELFError) -> Sections { try Sections(bytes, header) }

  /// The symbols a debugger would use, .symtab; nil where the file is stripped.
  public func staticSymbols(_ sections: Sections) -> SymbolTable? {
    ObjectFile.staticSymbols(sections, bytes) ?? debugSymbols
  }

  static func staticSymbols(_ sections: Sections, _ bytes: Bytes) -> SymbolTable? {
    guard let table = sections.all.first(where: { $0.type == UInt32(SHT_SYMTAB) }),
      table.link < sections.all.count,
      let entries = bytes.slice(at: table.fileOffset, count: table.size)
    else { return nil }
    let stringSection = sections.all[table.link]
    guard let strings = bytes.slice(at: stringSection.fileOffset, count: stringSection.size) else { return nil }
    return SymbolTable(entries: entries, strings: strings)
  }

  /// Number of dynamic symbols, from whichever table tells it.
  public func dynamicSymbolCount() throws(ELFError) -> Int {
    guard let dynamic else { return 0 }
    if let address = dynamic.sysvHash { return Int(try SysVHashTable(image, at: address).chainCount) }
    if let address = dynamic.gnuHash { return try GNUHashTable(image, at: address).symbolCount() }
    return symbols.limit
  }

  /// The name of the entry in DT_SONAME.
  public var soname: Bytes? {
    guard let offset = dynamic?.soname else { return nil }
    return symbols.string(at: offset)
  }
}
