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
    var content = ContentComparison(Comparison(old, new, matches, matcher.mapping()))
    var found: Set<Int> = []
    for index in matcher.newAnchors.all.indices where matcher.oldOfNew[index] >= 0 {
      guard matcher.newAnchors.all[index].isOnlyRead,
        matcher.oldAnchors.all[Int(matcher.oldOfNew[index])].isOnlyRead, !matcher.hasSameContent(index, &content)
      else { continue }
      found.insert(index)
    }
    return found
  }
}

extension VariableMatcher {
  /// Is the initial content of a variable that has a home the one there, as far as both reach?
  func hasSameContent(_ index: Int, _ content: inout ContentComparison) -> Bool {
    var count = newAnchors.bound(of: index)
    if oldOfNew[index] >= 0 { count = min(count, oldAnchors.bound(of: Int(oldOfNew[index]))) }
    return content.isSame(old: home[index], new: newAnchors.all[index].address, count: count)
  }
}
