/// The functions of an old version whose use means that old behaviour runs: those that changed or are gone, and, on
/// demand, those that lead to them.
enum ChangedFunctions {
  /// Addresses in the old version.
  static func list(_ old: Binary, _ verdict: Verdict, withDependants: Bool) -> [UInt64] {
    var isChanged = old.code.functions.map { function -> Bool in
      if function.isLinkage { return false }
      guard let pair = verdict.newFunction(for: function.range.start) else { return true }
      return !pair.isEqual
    }
    while withDependants, spread(&isChanged, old.code) {}
    var result: [UInt64] = []
    for (index, function) in old.code.functions.enumerated() where isChanged[index] {
      result.append(function.range.start)
    }
    return result
  }

  /// Functions that refer to one of the marked are marked; false: there were none.
  private static func spread(_ marks: inout [Bool], _ code: CodeTable) -> Bool {
    var grows = false
    for (index, function) in code.functions.enumerated() where !marks[index] {
      for reference in code.references[function.first..<function.end] {
        guard let target = code.index(containing: reference.target), marks[target] else { continue }
        marks[index] = true
        grows = true
        break
      }
    }
    return grows
  }
}

extension Program {
  /// Before a commit: what uprobes will look for, while Bean's knowledge of the old version is there.
  func noteChangedFunctions(_ pairs: [NewVersion]) {
    guard let mode = stale?.mode, mode == .uprobes || mode == .uprobesWithDependants else { return }
    for pair in pairs {
      guard let binary = pair.old.binary else { continue }
      pair.old.changedFunctions = ChangedFunctions.list(
        binary, pair.verdict, withDependants: mode == .uprobesWithDependants)
    }
  }
}
