/// Where sections as a whole can't be shared: each variable for itself.
extension Comparison {
  /// A comparison by variables, with its reasons; the layout of sections does not matter to it.
  static func byVariables(_ old: Binary, _ new: Binary, _ matches: FunctionMatch) -> Comparison {
    let comparison = Comparison(old, new, matches, .empty)
    var matcher = VariableMatcher(comparison)
    matcher.match()
    let content = comparison.constantVariables(matcher)
    comparison.isByVariable = true
    comparison.mapping = matcher.mapping(content: content)
    comparison.variables = matcher.pairs(content: content)
    for pair in comparison.variables {
      guard pair.kind == .unplaced || pair.kind == .grown, let range = pair.new else { continue }
      comparison.refuse(
        Refusal(
          pair.kind == .grown ? .variableGrown : .variableUnplaced, old: pair.old.map { old.place(at: $0.start) },
          new: new.place(at: range.start), oldValue: pair.old?.count, newValue: range.count))
    }
    return comparison
  }

  /// Indices of variables whose initial content differs, and that no code of either version changes: each version
  /// has its own.
  private func constantVariables(_ matcher: VariableMatcher) -> Set<Int> {
    let trial = Comparison(old, new, matches, matcher.mapping())
    var content = ContentComparison(trial)
    content.compareState()
    var found: Set<Int> = []
    for reason in trial.reasons {
      guard let place = reason.new?.address else { continue }
      let index = matcher.newAnchors.lowerBound(place &+ 1) - 1
      guard index >= 0, matcher.oldOfNew[index] >= 0, matcher.newAnchors.all[index].isOnlyRead,
        matcher.oldAnchors.all[Int(matcher.oldOfNew[index])].isOnlyRead
      else { continue }
      found.insert(index)
    }
    return found
  }
}

extension Bean {
  /// Which variable of the old version became which, whether the versions can share them or not: one entry for each
  /// of the new version, by address, then those that are gone.
  public static func variables(old: Binary, new: Binary) -> [VariablePair] {
    let comparison = Comparison(old, new)
    var matcher = VariableMatcher(comparison)
    matcher.match()
    return matcher.pairs()
  }
}
