/// How large a variable is taken to be. Where only changed functions use one, and none of them accesses as many bytes as
/// one did before, its type is another one: a number became a flag, which compilers store in a byte.
extension Comparison {
  func compareWidths() {
    let after = AccessWidths(new) { matches.isEqual[$0] }
    if after.widths.isEmpty { return }
    let before = AccessWidths(old) { (index) in
      let counterpart = matches.newOfOld[index]
      return counterpart >= 0 && matches.isEqual[Int(counterpart)]
    }
    for target in after.widths.keys.sorted() {
      guard let home = mapping.old(for: target), let width = after.largest(at: target),
        let earlier = before.largest(at: home), !after.haveCommon(target, home, before)
      else { continue }
      refuse(
        Refusal(
          .variableMoved, old: old.place(at: home), new: new.place(at: target), oldValue: earlier, newValue: width))
    }
  }
}

/// The sizes of all accesses to each variable that functions without an equal counterpart access, and nothing else
/// refers to.
private struct AccessWidths {
  /// By address: a set of sizes, which are powers of two.
  private(set) var widths: [UInt64: UInt8] = [:]

  /// Accesses of other sizes, or by others.
  private static var unsure: UInt8 { 0x80 }

  init(_ binary: Binary, isEqual: (Int) -> Bool) {
    for index in binary.code.functions.indices {
      let function = binary.code.functions[index]
      if !isEqual(index) { add(function, binary) }
    }
    if widths.isEmpty { return }
    for index in binary.code.functions.indices where isEqual(index) {
      let function = binary.code.functions[index]
      for reference in binary.code.references[function.first..<function.end] { exclude(reference.target) }
    }
    for entry in binary.relocations.entries {
      if let target = binary.stateTarget(of: entry) { exclude(target) }
    }
    for name in binary.symbols.named where !name.isLocal { exclude(name.start) }
  }

  private mutating func exclude(_ address: UInt64) {
    if widths[address] != nil { widths[address] = AccessWidths.unsure }
  }

  private mutating func add(_ function: CodeTable.Function, _ binary: Binary) {
    binary.forEachStateAccess(of: function) { (reference, access) in
      // What counts as 16 bytes may be less.
      let isSure = reference.kind == .memory && access.width <= 8
      widths[reference.target, default: 0] |= isSure ? UInt8(truncatingIfNeeded: access.width) : AccessWidths.unsure
    }
  }

  /// In bytes; nil where that is not known.
  func largest(at address: UInt64) -> UInt64? {
    guard let set = widths[address], set & AccessWidths.unsure == 0, set != 0 else { return nil }
    return 1 << UInt64(7 - set.leadingZeroBitCount)
  }

  func haveCommon(_ address: UInt64, _ home: UInt64, _ other: AccessWidths) -> Bool {
    (widths[address] ?? 0) & (other.widths[home] ?? 0) != 0
  }
}
