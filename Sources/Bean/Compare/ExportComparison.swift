import CKernel

/// Exports that the old version offers and somebody uses must be there, of the same sort and, for data, size.
extension Comparison {
  /// `isUsed` is asked with name and version (empty: none) of symbols that would be missed only.
  func compareExports(_ isUsed: (Bytes, Bytes) -> Bool) {
    for entry in old.symbols.entries where entry.isExport && entry.name.count != 0 {
      // Versions are symbols of their own, without content.
      if entry.symbol.isAbsolute { continue }
      let other = new.symbols.export(entry.name, entry.version, hash: entry.hash)
      guard let kind = Comparison.fault(entry.symbol, other?.symbol), isUsed(entry.name, entry.version) else {
        continue
      }
      missingExports.append(MissingExport(name: entry.name, version: entry.version, kind: kind))
      refuse(
        Refusal(
          .exportMissing, old: Place(name: entry.name, offset: 0, address: entry.symbol.value),
          new: other.map { Place(name: $0.name, offset: 0, address: $0.symbol.value) },
          oldValue: entry.symbol.size, newValue: other?.symbol.size))
    }
  }

  private static func fault(_ before: Symbol, _ after: Symbol?) -> MissingExport.Kind? {
    guard let after else { return .absent }
    let isUntyped = before.type == STT_NOTYPE || after.type == STT_NOTYPE
    if !isUntyped, before.isFunction != after.isFunction || before.isTLS != after.isTLS { return .otherType }
    let isData = (before.isObject || before.isTLS) && (after.isObject || after.isTLS)
    return isData && before.size != after.size ? .otherSize : nil
  }
}
