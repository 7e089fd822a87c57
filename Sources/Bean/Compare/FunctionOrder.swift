extension FunctionMatcher {
  /// Between matched functions that keep their order, equal code that occurs several times is matched by position,
  /// provided that both sides have the same number of it.
  mutating func matchInOrder() {
    var (oldFrom, newFrom) = (0, 0)
    for anchor in anchors() {
      let oldIndex = Int(match.oldOfNew[anchor])
      matchGap(oldFrom..<oldIndex, newFrom..<anchor)
      (oldFrom, newFrom) = (oldIndex + 1, anchor + 1)
    }
    matchGap(oldFrom..<old.code.functions.count, newFrom..<new.code.functions.count)
  }

  /// New indices of the longest run of matched functions that ascends in both versions (patience sorting).
  private func anchors() -> [Int] {
    var tails: [Int] = []
    var previous = [Int32](repeating: -1, count: match.oldOfNew.count)
    for index in 0..<match.oldOfNew.count where match.oldOfNew[index] >= 0 {
      var low = 0
      var high = tails.count
      while low < high {
        let middle = (low + high) / 2
        if match.oldOfNew[tails[middle]] < match.oldOfNew[index] { low = middle + 1 } else { high = middle }
      }
      if low > 0 { previous[index] = Int32(truncatingIfNeeded: tails[low - 1]) }
      if low == tails.count { tails.append(index) } else { tails[low] = index }
    }
    var chain: [Int] = []
    var next = tails.last ?? -1
    while next >= 0 {
      chain.append(next)
      next = Int(previous[next])
    }
    chain.reverse()
    return chain
  }

  private mutating func matchGap(_ oldRange: Range<Int>, _ newRange: Range<Int>) {
    guard !oldRange.isEmpty, !newRange.isEmpty else { return }
    let left = FunctionMatcher.unmatched(old, match.newOfOld, oldRange)
    let right = FunctionMatcher.unmatched(new, match.oldOfNew, newRange)
    guard !left.isEmpty, !right.isEmpty else { return }
    FunctionMatcher.forEachGroup(left, right) { (a, b) in
      guard a.count == b.count else { return }
      for step in 0..<a.count {
        pair(left[a.lowerBound + step].index, right[b.lowerBound + step].index, isByOrder: true)
      }
    }
    pairLeftover(left, right)
  }

  /// One changed function on each side: the neighbours say that they are versions of each other.
  private mutating func pairLeftover(_ left: [Keyed], _ right: [Keyed]) {
    var (oldRest, newRest) = (-1, -1)
    for candidate in left where match.newOfOld[candidate.index] < 0 {
      if oldRest >= 0 { return }
      oldRest = candidate.index
    }
    for candidate in right where match.oldOfNew[candidate.index] < 0 {
      if newRest >= 0 { return }
      newRest = candidate.index
    }
    if oldRest >= 0, newRest >= 0 { pair(oldRest, newRest, isByOrder: true) }
  }
}
