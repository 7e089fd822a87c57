/// The risk line, as logs and status lines show it.
extension Text {
  /// "risk: structures may have changed layout: 41 functions use fields at other offsets (…), …". Nothing where
  /// there are no risks.
  public mutating func appendRisks(_ verdict: Verdict) {
    guard !verdict.risks.isEmpty else { return }
    append("risk: structures may have changed layout: ")
    let field = verdict.risks.first { $0.kind == .shiftedFields }
    if let field {
      append(decimal: verdict.shiftedFunctions)
      append(verdict.shiftedFunctions == 1 ? " function uses" : " functions use")
      append(" fields at other offsets (")
      append(nameOf: field.function)
      append(": +")
      append(hex: field.oldValue)
      append(" is now +")
      append(hex: field.newValue)
      append(")")
    }
    if let size = verdict.risks.first(where: { $0.kind == .allocationSize }) {
      if field != nil { append(", ") }
      append(decimal: verdict.changedAllocations)
      append(verdict.changedAllocations == 1 ? " allocation has" : " allocations have")
      append(" another size (")
      append(nameOf: size.function)
      append(": ")
      append(hex: size.oldValue)
      append(" is now ")
      append(hex: size.newValue)
      append(")")
    }
    append("; objects that old code made may not suit new code")
  }
}
