import CKernel

/// Functions that are the same apart from position-dependent fields must refer to the same variables: that is what
/// shows that variables kept their places, where names are stripped.
extension Comparison {
  func compareCode() {
    for newIndex in new.code.functions.indices where matches.isEqual[newIndex] {
      compareReferences(Int(matches.oldOfNew[newIndex]), newIndex)
    }
  }

  private func compareReferences(_ oldIndex: Int, _ newIndex: Int) {
    let (left, right) = (old.code.functions[oldIndex], new.code.functions[newIndex])
    if isByVariable, old.registersNoClones(left), new.registersNoClones(right) { return }
    for step in 0..<(right.end &- right.first) {
      let (a, b) = (old.code.references[left.first &+ step], new.code.references[right.first &+ step])
      if a.kind == .branch { continue }
      switch agreement(a.target, b.target, isAddress: b.kind == .address) {
      case .same: break
      // Not the same function after all; nothing is said about state.
      case .otherConstant: matches.pair(oldIndex, newIndex, isEqual: false)
      case .otherVariable where right.source == .gap && hasSameDistance(a, b):
        // Data between functions that decodes: a real reference would have changed with the distance.
        refuted.insert(b.field)
      case .otherVariable where isByVariable && matches.isByOrder[newIndex]:
        // Functions that are alike, but not each other's: what they refer to is found by address.
        matches.pair(oldIndex, newIndex, isEqual: false)
        return
      case .otherVariable:
        refuse(
          Refusal(
            .codeDisagrees, function: new.place(at: right.range.start), old: old.place(at: a.target),
            new: new.place(at: b.target), oldValue: a.target, newValue: b.target))
      }
    }
  }

  private func hasSameDistance(_ a: CodeReference, _ b: CodeReference) -> Bool {
    a.target &- a.field == b.target &- b.field
  }

  private enum Agreement { case same, otherConstant, otherVariable }

  private func agreement(_ a: UInt64, _ b: UInt64, isAddress: Bool) -> Agreement {
    let isState = (old.isStateReference(a), new.isStateReference(b))
    if isState.0 || isState.1 {
      return newOwnsState || mapping.agrees(new: b, old: a, isAddress: isAddress) ? .same : .otherVariable
    }
    let kinds = (old.regions.kind(of: a), new.regions.kind(of: b))
    if kinds.0 == .got, kinds.1 == .got {
      if isSameSlot(old: a, new: b) { return .same }
      return old.isVariableSlot(a) || new.isVariableSlot(b) ? .otherVariable : .otherConstant
    }
    return kinds.0.isLike(kinds.1) ? .same : .otherConstant
  }
}

extension Binary {
  /// Does an address that code computes belong to state: inside, its end, or a few bytes outside where nothing
  /// else is (an array's element -1)?
  func isStateReference(_ address: UInt64) -> Bool {
    let bias = StateMapping.bias
    guard !state.areas.isEmpty, address &- (state.span.start &- bias) <= state.span.count &+ 2 &* bias else {
      return false
    }
    switch regions.kind(of: address) {
    case .state: return true
    case .none:
      for area in state.areas where address &+ bias >= area.range.start && address <= area.range.end &+ bias {
        return true
      }
      return false
    default: return false
    }
  }

  /// A GOT slot that leads to a variable of the object itself: by address, or thread-local.
  func isVariableSlot(_ address: UInt64) -> Bool {
    guard let entry = relocations.entry(at: address) else { return false }
    switch Int32(bitPattern: entry.type) {
    case Int32(R_X86_64_RELATIVE): return regions.kind(of: UInt64(bitPattern: entry.addend)) == .state
    case Int32(R_X86_64_DTPMOD64), Int32(R_X86_64_DTPOFF64), Int32(R_X86_64_TPOFF64), Int32(R_X86_64_TLSDESC):
      return true
    default: return false
    }
  }
}
