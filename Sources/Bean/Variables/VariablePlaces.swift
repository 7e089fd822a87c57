/// Variables without votes: between neighbours that moved alike they moved with them; others are told from new ones
/// by the room that there is.
extension VariableMatcher {
  /// An anchor that was matched, or the border of a section, which goes with the section.
  struct Landmark {
    let old: UInt64
    let new: UInt64
    /// -1: a border.
    let index: Int
    var distance: UInt64 { new &- old }
  }

  mutating func place() {
    for area in comparison.new.state.areas {
      let first = newAnchors.lowerBound(area.range.start)
      let end = newAnchors.lowerBound(area.range.end)
      guard first < end else { continue }
      let (start, stop) = borders(area)
      var before = start
      var index = first
      while index < end {
        if home[index] != UInt64.max {
          before = Landmark(old: home[index], new: newAnchors.all[index].address, index: index)
          index += 1
          continue
        }
        var next = index
        while next < end, home[next] == UInt64.max { next += 1 }
        let after =
          next == end ? stop : Landmark(old: home[next], new: newAnchors.all[next].address, index: next)
        for gap in index..<next { placeOne(gap, before, after) }
        index = next
      }
      placeInOrder(first..<end, area)
    }
  }

  /// What is left of a section in both versions: as many variables, of the same sizes in the same order, and each
  /// used by a function that uses its counterpart in the other version.
  private mutating func placeInOrder(_ range: Range<Int>, _ area: StateLayout.Area) {
    guard let home = comparison.old.state.areas.first(where: { $0.name == area.name }) else { return }
    let right = range.filter { self.home[$0] == UInt64.max && !newAnchors.all[$0].isExported }
    let left = (oldAnchors.lowerBound(home.range.start)..<oldAnchors.lowerBound(home.range.end)).filter {
      newOfOld[$0] < 0 && !isCovered($0) && !oldAnchors.all[$0].isExported
    }
    guard !right.isEmpty, left.count == right.count, left.count <= VariableMatcher.maximumLeftover else { return }
    for (a, b) in zip(left, right) {
      guard oldAnchors.bound(of: a) == newAnchors.bound(of: b),
        oldAnchors.all[a].isTaken == newAnchors.all[b].isTaken, haveCommonUser(a, b)
      else { return }
    }
    for (a, b) in zip(left, right) { assign(b, to: oldAnchors.all[a].address, .position, support: 0) }
  }

  /// All code is looked through for each: few variables only.
  private static var maximumLeftover: Int { 32 }

  private func haveCommonUser(_ a: Int, _ b: Int) -> Bool {
    let before = users(of: [a], oldAnchors, comparison.old)[a] ?? []
    return (users(of: [b], newAnchors, comparison.new)[b] ?? []).contains {
      let counterpart = comparison.matches.oldOfNew[$0]
      return counterpart >= 0 && before.contains(Int(counterpart))
    }
  }

  /// nil: the old version has no such section.
  private func borders(_ area: StateLayout.Area) -> (Landmark?, Landmark?) {
    guard let home = comparison.old.state.areas.first(where: { $0.name == area.name }) else { return (nil, nil) }
    return (
      Landmark(old: home.range.start, new: area.range.start, index: -1),
      Landmark(old: home.range.end, new: area.range.end, index: -1)
    )
  }

  private mutating func placeOne(_ index: Int, _ before: Landmark?, _ after: Landmark?) {
    let address = newAnchors.all[index].address
    if let before, let after, before.distance == after.distance {
      let candidate = address &- before.distance
      if isFree(candidate, for: index) { assign(index, to: candidate, .position, support: 0) }
      return
    }
    // With one neighbour or the other, but at a place only that the old version refers to as well.
    let first = before.flatMap { candidate(address &- $0.distance, for: index, $0, after) }
    let second = after.flatMap { candidate(address &- $0.distance, for: index, before, $0) }
    if let only = first ?? second, first == nil || second == nil || first == second {
      assign(index, to: only, .position, support: 0)
    }
  }

  /// `place` is referred to in the old version, lies between the landmarks' old places, and is nobody else's.
  private func candidate(
    _ place: UInt64, for index: Int, _ before: Landmark?, _ after: Landmark?
  ) -> UInt64? {
    guard let anchor = oldAnchors.index(of: place), newOfOld[anchor] < 0, !areOtherExports(anchor, index) else {
      return nil
    }
    if let before, place < before.old { return nil }
    if let after, place >= after.old, before.map({ $0.old < after.old }) ?? true { return nil }
    return place
  }

  /// No other variable of the new version was found to be there.
  private func isFree(_ address: UInt64, for index: Int) -> Bool {
    guard comparison.old.isInState(address) else { return false }
    guard let anchor = oldAnchors.index(of: address) else { return true }
    return newOfOld[anchor] < 0 && !areOtherExports(anchor, index)
  }

  /// What a variable without counterpart is: new, or the old version has something left that it might be.
  func isNew(_ index: Int) -> Bool { !mayBeField(index) && !leftovers.mayHave(index, newAnchors) }

  /// Might it be a part of the variable before it, which only new code refers to directly?
  private func mayBeField(_ index: Int) -> Bool {
    var before = index - 1
    while before >= 0, home[before] == UInt64.max { before -= 1 }
    guard before >= 0, let anchor = oldAnchors.index(of: home[before]) else { return false }
    let offset = newAnchors.all[index].address &- newAnchors.all[before].address
    // What is accessed directly only is no larger than that.
    return offset < oldAnchors.bound(of: anchor) && offset < newAnchors.bound(of: before, upTo: index)
  }

  /// Does an old anchor lie in the room of a variable that was matched, so that it is a part of it?
  func isCovered(_ index: Int) -> Bool {
    var before = index - 1
    while before >= 0, newOfOld[before] < 0 { before -= 1 }
    guard before >= 0 else { return false }
    let b = Int(newOfOld[before])
    return oldAnchors.all[index].address &- oldAnchors.all[before].address < newAnchors.bound(of: b)
  }
}

extension StateAnchors {
  /// The bound of a variable if what lies at `other` were a part of it.
  fileprivate func bound(of index: Int, upTo other: Int) -> UInt64 {
    let anchor = all[index]
    if anchor.size != 0 { return anchor.size }
    return anchor.isScalar ? anchor.width : UInt64.max
  }
}
