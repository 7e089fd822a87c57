/// Variables that no unchanged function vouches for: what changed functions say about them.
///
/// Of a pair of changed functions nothing can be demanded, but a variable that changed functions referred to, and to
/// which only others refer now, at its place, is most likely another variable that took the place.
extension Comparison {
  /// A function that refers to a state address, given in the new version's terms.
  private struct Use {
    let target: UInt64
    /// New index of the function; -1: the old version's function has no counterpart.
    let function: Int32

    static func isBefore(_ a: Use, _ b: Use) -> Bool {
      a.target != b.target ? a.target < b.target : a.function < b.function
    }
  }

  func compareChangedCode() {
    let (before, after) = (oldUses(), newUses())
    var (i, j) = (0, 0)
    while i < before.count, j < after.count {
      let target = before[i].target
      if target != after[j].target {
        if target < after[j].target { i += 1 } else { j += 1 }
        continue
      }
      let (firstI, firstJ) = (i, j)
      while i < before.count, before[i].target == target { i += 1 }
      while j < after.count, after[j].target == target { j += 1 }
      judge(before[firstI..<i], after[firstJ..<j])
    }
  }

  /// Both lists are of one address, and not empty.
  private func judge(_ before: ArraySlice<Use>, _ after: ArraySlice<Use>) {
    var (lost, gained) = (-1, -1)
    for use in after where use.function >= 0 {
      if Comparison.has(before, use.function) { return }
      if matches.oldOfNew[Int(use.function)] >= 0 { gained = Int(use.function) }
    }
    for use in before where use.function >= 0 { lost = Int(use.function) }
    guard lost >= 0, gained >= 0, let target = after.first?.target, let home = mapping.old(for: target) else {
      return
    }
    refuse(
      Refusal(
        .codeDisagrees, function: new.place(at: new.code.functions[gained].range.start), old: old.place(at: home),
        new: new.place(at: target)))
  }

  /// `uses` is sorted by function.
  private static func has(_ uses: ArraySlice<Use>, _ function: Int32) -> Bool {
    var low = uses.startIndex
    var high = uses.endIndex
    while low < high {
      let middle = (low + high) / 2
      if uses[middle].function < function { low = middle + 1 } else { high = middle }
    }
    return low < uses.endIndex && uses[low].function == function
  }

  private func newUses() -> [Use] {
    var uses: [Use] = []
    for index in new.code.functions.indices {
      let function = new.code.functions[index]
      for reference in new.code.references[function.first..<function.end] where new.isInState(reference.target) {
        uses.append(Use(target: reference.target, function: Int32(truncatingIfNeeded: index)))
      }
    }
    return Comparison.unique(uses)
  }

  private func oldUses() -> [Use] {
    var uses: [Use] = []
    for index in old.code.functions.indices {
      let function = old.code.functions[index]
      for reference in old.code.references[function.first..<function.end] where old.isInState(reference.target) {
        guard let target = mapping.new(for: reference.target) else { continue }
        uses.append(Use(target: target, function: matches.newOfOld[index]))
      }
    }
    return Comparison.unique(uses)
  }

  /// Sorted, each once: a hostile function may refer to one place very often.
  private static func unique(_ uses: [Use]) -> [Use] {
    var result: [Use] = []
    for use in uses.sorted(by: Use.isBefore) {
      if let last = result.last, last.target == use.target, last.function == use.function { continue }
      result.append(use)
    }
    return result
  }
}

extension Binary {
  func isInState(_ address: UInt64) -> Bool { state.span.contains(address) && regions.kind(of: address) == .state }
}
