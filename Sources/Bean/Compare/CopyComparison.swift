/// Constants that the executable has taken over by R_X86_64_COPY: virtual tables, type descriptions, exported tables.
///
/// All versions use the executable's copy, as they do with state. So its content must mean the same in both; pointers
/// to functions in it follow (`SlotWrites.collectCopies`).
extension Comparison {
  func compareCopies(_ isCopied: (_ name: Bytes, _ version: Bytes) -> Bool) {
    var content: ContentComparison?
    for entry in old.symbols.entries where entry.isExport && entry.symbol.isObject && !entry.symbol.isTLS {
      guard entry.symbol.size != 0, isCopied(entry.name, entry.version),
        let other = new.symbols.export(entry.name, entry.version, hash: entry.hash),
        other.symbol.size == entry.symbol.size
      else { continue }
      let isState = old.regions.kind(of: entry.symbol.value) == .state
      let isStateToo = new.regions.kind(of: other.symbol.value) == .state
      if isState && isStateToo { continue }
      if content == nil { content = ContentComparison(self) }
      let isSame =
        isState == isStateToo
        && content?.isSame(old: entry.symbol.value, new: other.symbol.value, count: entry.symbol.size) == true
      if isSame { continue }
      refuse(
        Refusal(
          .stateContent, old: old.place(at: entry.symbol.value), new: new.place(at: other.symbol.value),
          oldValue: old.value(at: entry.symbol.value), newValue: new.value(at: other.symbol.value)))
    }
  }
}
