/// Which symbol a GOT slot is for, as a number: functions that use other symbols are not the same function, however
/// alike their code is (entries of the PLT differ in nothing else).
struct SlotNames {
  let regions: RegionMap
  let relocations: RelocationIndex
  let symbols: SymbolIndex
  /// All GOT sections together, for a quick no.
  private let span: AddressRange

  init(_ regions: RegionMap, _ relocations: RelocationIndex, _ symbols: SymbolIndex) {
    self.regions = regions
    self.relocations = relocations
    self.symbols = symbols
    let tables = regions.regions.filter { $0.kind == .got }
    span = AddressRange(start: tables.first?.range.start ?? 0, end: tables.last?.range.end ?? 0)
  }

  /// 0 for what is no slot, or one without a symbol.
  @inline(__always)
  func hash(ofSlot address: UInt64) -> UInt64 {
    guard span.contains(address) else { return 0 }
    guard let entry = relocations.entry(at: address), let symbol = symbols.symbol(of: entry) else { return 0 }
    return symbol.hash &+ UInt64(entry.type)
  }
}
