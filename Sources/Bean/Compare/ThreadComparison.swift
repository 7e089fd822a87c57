import CKernel

/// Thread-local storage: every thread's block stays where it is, so layout, initial image and use must be the same.
extension Comparison {
  func compareThreads() {
    let (before, after) = (old.state.threads, new.state.threads)
    if before == nil && after == nil { return }
    guard let before, let after, before.memorySize == after.memorySize, before.fileSize == after.fileSize,
      before.alignment == after.alignment,
      before.address & (before.alignment &- 1) == after.address & (after.alignment &- 1)
    else {
      return refuse(
        Refusal(
          .threadLayout, old: before.map { Place(name: Bytes("PT_TLS"), offset: 0, address: $0.address) },
          new: after.map { Place(name: Bytes("PT_TLS"), offset: 0, address: $0.address) },
          oldValue: before?.memorySize ?? 0, newValue: after?.memorySize ?? 0))
    }
    compareThreadSymbols()
    compareLocalDynamic()
  }

  private func compareThreadSymbols() {
    for entry in new.symbols.entries where entry.isExport && entry.symbol.isTLS {
      guard let other = old.symbols.export(entry.name, entry.version, hash: entry.hash), other.symbol.isTLS,
        other.symbol.value != entry.symbol.value || other.symbol.size != entry.symbol.size
      else { continue }
      refuse(
        Refusal(
          .threadLayout, old: Place(name: entry.name, offset: 0, address: other.symbol.value),
          new: Place(name: entry.name, offset: 0, address: entry.symbol.value),
          oldValue: other.symbol.size, newValue: entry.symbol.size))
    }
  }

  /// The local-dynamic model adds offsets that stand in the code, without a relocation: only code that is the same
  /// is known to mean the same variables.
  private func compareLocalDynamic() {
    let slots = new.relocations.entries.filter {
      $0.symbol == 0
        && ($0.type == UInt32(R_X86_64_DTPMOD64) || $0.type == UInt32(R_X86_64_TLSDESC) && $0.addend == 0)
    }
    guard !slots.isEmpty else { return }
    for index in new.code.functions.indices where !matches.isEqual[index] {
      let function = new.code.functions[index]
      for reference in new.code.references[function.first..<function.end] {
        guard new.regions.kind(of: reference.target) == .got,
          slots.contains(where: { $0.address == reference.target })
        else { continue }
        refuse(
          Refusal(
            .threadLayout, function: new.place(at: function.range.start), new: new.place(at: reference.target)))
        break
      }
    }
  }
}
