/// Which functions are laid side by side.
extension LayoutRisk {
  /// Shorter functions are alike by chance.
  private static var minimumSteps: Int { 8 }

  mutating func compareAll() {
    let matches = comparison.matches
    for newIndex in comparison.new.code.functions.indices {
      let oldIndex = Int(matches.oldOfNew[newIndex])
      if oldIndex >= 0, !matches.isEqual[newIndex], !comparison.new.code.functions[newIndex].isLinkage {
        compare(oldIndex, newIndex)
      }
    }
    let left = LayoutRisk.unmatched(comparison.old, matches.newOfOld)
    let right = LayoutRisk.unmatched(comparison.new, matches.oldOfNew)
    var pairs: [(Int, Int)] = []
    FunctionMatcher.forEachUniquePair(left, right) { pairs.append(($0, $1)) }
    for (oldIndex, newIndex) in pairs { compare(oldIndex, newIndex) }
  }

  /// Functions without a counterpart, by what is the same in versions with another layout.
  private static func unmatched(_ binary: Binary, _ taken: [Int32]) -> [Keyed] {
    var found: [Keyed] = []
    for index in binary.code.functions.indices where taken[index] < 0 && !binary.code.functions[index].isLinkage {
      guard let sequence = RiskSequence(binary, binary.code.functions[index]),
        sequence.steps.count >= minimumSteps
      else { continue }
      found.append(Keyed(key: sequence.hash, index: index))
    }
    return found.sorted(by: Keyed.isBefore)
  }
}
