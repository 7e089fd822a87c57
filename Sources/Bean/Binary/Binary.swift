/// What a version of an object means: its memory, relocations, symbols, state and code, computed once from its file.
///
/// It refers to the file's bytes, which must outlive it.
public final class Binary {
  public let file: ObjectFile
  public let sections: Sections
  public let regions: RegionMap
  public let relocations: RelocationIndex
  public let symbols: SymbolIndex
  public let state: StateLayout
  public let map: FunctionMap
  let slotNames: SlotNames
  public let code: CodeTable
  /// Stands for this version, without keeping it.
  private let identity = Identity()
  /// Of the version that this one was read with the help of.
  private let model: Identity?

  private final class Identity {}

  /// `debug`: symbols for a stripped file. `like`: another version that was read already; the result is the same, but
  /// sooner there.
  public init(_ bytes: Bytes, debug: SymbolTable? = nil, like other: Binary? = nil) throws(ELFError) {
    var file = try ObjectFile(bytes)
    file.debugSymbols = debug
    self.file = file
    sections = try file.sections()
    regions = try RegionMap(file, sections)
    relocations = try RelocationIndex(file)
    symbols = try SymbolIndex(file, sections, debug)
    state = StateLayout(file, regions)
    slotNames = SlotNames(regions, relocations, symbols)
    (map, code) = try Binary.decode(file, slotNames, other)
    model = other?.identity
  }

  /// Decodes all functions once: those that tables know first, since their branches tell where others begin.
  private static func decode(
    _ file: ObjectFile, _ names: SlotNames, _ other: Binary?
  ) throws(ELFError) -> (FunctionMap, CodeTable) {
    var code = CodeTable()
    let model = other.map { CodeModel($0) }
    let map = try FunctionMap(file) { (known) in
      code.add(known, file, names, model)
      return code.branchTargets(known)
    }
    code.add(
      map.functions.filter { $0.source == .gap || code.index(startingAt: $0.range.start) == nil }, file, names, nil)
    code.sort()
    return (map, code)
  }

  /// Was a function found to be the same as one of `old` when it was read?
  func isTwin(_ index: Int, of oldIndex: Int, in old: Binary) -> Bool {
    model === old.identity && code.functions[index].twin == Int32(truncatingIfNeeded: oldIndex)
  }

  /// Without section headers nobody can tell state from a GOT.
  public var hasSections: Bool { !regions.regions.isEmpty }

  /// The place at `address` by name: of the symbol that holds it, else of its section.
  public func place(at address: UInt64) -> Place {
    if let symbol = symbols.name(containing: address) {
      return Place(name: symbol.name, offset: address &- symbol.start, address: address)
    }
    if let region = regions.region(containing: address) {
      return Place(name: region.name, offset: address &- region.range.start, address: address)
    }
    for region in regions.regions where region.range.end == address {
      return Place(name: region.name, offset: region.range.count, address: address)
    }
    return Place(name: .empty, offset: 0, address: address)
  }
}

/// An address of an object as a user reads it: `name`+`offset`.
public struct Place {
  /// A symbol's or a section's; empty: neither holds the address. Valid as long as the file's bytes.
  public let name: Bytes
  public let offset: UInt64
  public let address: UInt64
}
