/// LD_DEPENDENCY_CHECK: a changed function counts for its callers, and for theirs.
extension Comparison {
  func countChangesForCallers() {
    let code = new.code
    // Callers by callee, as pairs.
    var calls: [Keyed] = []
    for index in code.functions.indices where !code.functions[index].isLinkage {
      for reference in code.references[code.functions[index].first..<code.functions[index].end]
      where reference.kind == .branch {
        if let callee = callee(at: reference.target) { calls.append(Keyed(key: UInt64(callee), index: index)) }
      }
    }
    calls.sort(by: Keyed.isBefore)
    var changed = code.functions.indices.filter { !code.functions[$0].isLinkage && !matches.isEqual[$0] }
    while let callee = changed.popLast() {
      var index = Comparison.lowerBound(calls, UInt64(callee))
      while index < calls.count, calls[index].key == UInt64(callee) {
        let caller = calls[index].index
        if matches.isEqual[caller] {
          matches.countAsChanged(caller)
          changed.append(caller)
        }
        index += 1
      }
    }
  }

  /// The function of the new version that a branch leads to, through the PLT as well.
  private func callee(at target: UInt64) -> Int? {
    guard let index = new.code.index(containing: target) else { return nil }
    let function = new.code.functions[index]
    guard function.isLinkage else { return index }
    for reference in new.code.references[function.first..<function.end] where reference.kind == .memory {
      if let entry = new.relocations.entry(at: reference.target), let symbol = new.symbols.symbol(of: entry)?.symbol,
        !symbol.isUndefined
      {
        return new.code.index(startingAt: symbol.value)
      }
    }
    return nil
  }

  private static func lowerBound(_ calls: [Keyed], _ key: UInt64) -> Int {
    var low = 0
    var high = calls.count
    while low < high {
      let middle = (low + high) / 2
      if calls[middle].key < key { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
