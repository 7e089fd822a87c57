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

  /// New indices of the longest run of matched functions that ascends in both versions. There may be several as long;
  /// what the search finds from both sides is the same whichever version is the new one.
  private func anchors() -> [Int] {
    let back = FunctionMatcher.longestRun(match.newOfOld)
    var next = 0
    return FunctionMatcher.longestRun(match.oldOfNew).filter { (index) in
      while next < back.count, back[next] < Int(match.oldOfNew[index]) { next += 1 }
      return next < back.count && back[next] == Int(match.oldOfNew[index])
    }
  }

  /// Indices of the longest ascending run among elements that are not negative (patience sorting).
  private static func longestRun(_ list: [Int32]) -> [Int] {
    var tails: [Int] = []
    var previous = [Int32](repeating: -1, count: list.count)
    for index in list.indices where list[index] >= 0 {
      // Mostly it goes on.
      var low = tails.count
      if let last = tails.last, list[last] >= list[index] {
        low = 0
        var high = tails.count
        while low < high {
          let middle = (low + high) / 2
          if list[tails[middle]] < list[index] { low = middle + 1 } else { high = middle }
        }
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
