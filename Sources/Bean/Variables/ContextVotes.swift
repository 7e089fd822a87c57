/// Votes by changed functions: a reference whose surroundings, the three instructions before and behind it, occur once
/// in both versions of a function.
extension VariableMatcher {
  mutating func voteByChangedCode() {
    let (old, new, matches) = (comparison.old, comparison.new, comparison.matches)
    for index in new.code.functions.indices where !matches.isEqual[index] && matches.oldOfNew[index] >= 0 {
      let before = old.code.functions[Int(matches.oldOfNew[index])]
      let left = ReferenceContext.all(old, before) { $0.kind != .branch && old.isInState($0.target) }
      if left.isEmpty { continue }
      let right = ReferenceContext.all(new, new.code.functions[index]) {
        $0.kind != .branch && new.isInState($0.target)
      }
      var found: [(CodeReference, CodeReference)] = []
      ReferenceContext.forEachPair(left, right) { found.append(($0, $1)) }
      for (a, b) in found { vote(old: a.target, new: b.target, .changedCode, isAddress: a.kind == .address) }
    }
  }
}
