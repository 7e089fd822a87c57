/// Which function and which variable of the new version is which one of the old: what the verdict and all tools go by,
/// whether the versions can share state or not.
public struct VersionMatch {
  public let functions: FunctionMatch
  /// One entry for each variable of the new version's state sections, by address, then those that are gone.
  public let variables: [VariablePair]

  public init(_ old: Binary, _ new: Binary) {
    let comparison = Comparison(old, new)
    var matcher = VariableMatcher(comparison)
    matcher.match()
    functions = comparison.matches
    comparison.mapping = matcher.mapping()
    var content = ContentComparison(comparison)
    var differing: Set<Int> = []
    for index in matcher.home.indices where matcher.home[index] != UInt64.max {
      if !matcher.hasSameContent(index, &content) { differing.insert(index) }
    }
    variables = matcher.pairs(differing: differing)
  }
}
