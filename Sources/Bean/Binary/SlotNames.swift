/// Which symbol a GOT slot is for, as a number: functions that use other symbols are not the same function, however
/// alike their code is (entries of the PLT differ in nothing else).
struct SlotNames {
  let regions: RegionMap
  let relocations: RelocationIndex
  let symbols: SymbolIndex
  /// All GOT sections together, for a quick no.
  private let span: AddressRange
  /// By slot, since nearly every call and every other reference is looked up. Empty where slots lie so far apart, or so
  /// askew, that a table would not do.
  private let hashes: [UInt64]

  init(_ regions: RegionMap, _ relocations: RelocationIndex, _ symbols: SymbolIndex) {
    self.regions = regions
    self.relocations = relocations
    self.symbols = symbols
    let tables = regions.regions.filter { $0.kind == .got }
    span = AddressRange(start: tables.first?.range.start ?? 0, end: tables.last?.range.end ?? 0)
    hashes = SlotNames.table(span, relocations, symbols)
  }

  private static func table(
    _ span: AddressRange, _ relocations: RelocationIndex, _ symbols: SymbolIndex
  ) -> [UInt64] {
    let entries = relocations.entries
    guard span.count / 8 <= UInt64(entries.count) &* 2 &+ 1024 else { return [] }
    var found = [UInt64](repeating: 0, count: Int(span.count / 8) &+ 1)
    var index = relocations.lowerBound(span.start)
    while index < entries.count, span.contains(entries[index].address) {
      let offset = entries[index].address &- span.start
      guard offset % 8 == 0 else { return [] }
      // Of several for one slot the first counts, as for a search.
      if index == 0 || entries[index &- 1].address != entries[index].address {
        found[Int(offset / 8)] = hash(entries[index], symbols)
      }
      index &+= 1
    }
    return found
  }

  private static func hash(_ entry: RelocationIndex.Entry, _ symbols: SymbolIndex) -> UInt64 {
    guard let symbol = symbols.symbol(of: entry) else { return 0 }
    return symbol.hash &+ UInt64(entry.type)
  }

  /// 0 for what is no slot, or one without a symbol.
  @inline(__always)
  func hash(ofSlot address: UInt64) -> UInt64 {
    guard span.contains(address) else { return 0 }
    if hashes.isEmpty {
      guard let entry = relocations.entry(at: address) else { return 0 }
      return SlotNames.hash(entry, symbols)
    }
    let offset = address &- span.start
    return offset % 8 == 0 ? hashes[Int(offset / 8)] : 0
  }
}
