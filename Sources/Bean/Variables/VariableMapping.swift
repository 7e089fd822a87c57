/// From matched variables to homes: the pieces of a mapping, and what stands in its way.
extension VariableMatcher {
  /// One entry for each variable of the new version, by address, then those that are gone. `content`: each version has
  /// its own; `differing`: it is not the same.
  func pairs(content: Set<Int> = [], differing: Set<Int> = []) -> [VariablePair] {
    var found: [VariablePair] = []
    found.reserveCapacity(newAnchors.all.count)
    for index in newAnchors.all.indices {
      var pair = pair(index, isContent: content.contains(index))
      pair.hasOtherContent = differing.contains(index) || content.contains(index)
      found.append(pair)
    }
    for index in oldAnchors.all.indices where newOfOld[index] < 0 && !isCovered(index) {
      let range = AddressRange(start: oldAnchors.all[index].address, count: oldAnchors.extent(of: index))
      found.append(VariablePair(kind: .gone, old: range, new: nil, evidence: .none, support: 0))
    }
    return found
  }

  private func pair(_ index: Int, isContent: Bool) -> VariablePair {
    let address = newAnchors.all[index].address
    let range = AddressRange(start: address, count: newAnchors.extent(of: index))
    guard home[index] != UInt64.max else {
      return VariablePair(
        kind: isNew(index) ? .new : .unplaced, old: nil, new: range, evidence: .none, support: 0)
    }
    var kind = isAtSamePlace(index) ? VariablePair.Kind.kept : .moved
    if isContent { kind = .content } else if isGrown(index) { kind = .grown }
    let count = oldOfNew[index] >= 0 ? oldAnchors.extent(of: Int(oldOfNew[index])) : range.count
    return VariablePair(
      kind: kind, old: AddressRange(start: home[index], count: count), new: range, evidence: evidence[index],
      support: Int(support[index]))
  }

  private func isAtSamePlace(_ index: Int) -> Bool {
    let (old, new) = (comparison.old, comparison.new)
    let address = newAnchors.all[index].address
    guard let before = old.regions.region(containing: home[index]),
      let after = new.regions.region(containing: address)
    else { return false }
    return before.name == after.name && home[index] &- before.range.start == address &- after.range.start
  }

  /// Does the next variable's home lie as far behind as the next variable?
  private func isFollowed(_ index: Int) -> Bool {
    let next = index + 1
    guard next < home.count, home[next] != UInt64.max else { return false }
    return home[next] &- home[index] == newAnchors.all[next].address &- newAnchors.all[index].address
  }

  /// Might it need more room than it has at its home?
  func isGrown(_ index: Int) -> Bool {
    if isFollowed(index) { return false }
    let bound = newAnchors.bound(of: index)
    guard let anchor = oldAnchors.index(of: home[index]) else {
      // A part of a variable that the old version never refers to: up to what follows it there.
      return bound > room(at: home[index])
    }
    let (before, after) = (oldAnchors.all[anchor].size, newAnchors.all[index].size)
    if before != 0, after != 0 { return after > before }
    return bound > room(at: home[index]) && !isPadded(index)
  }

  /// Is the room behind it explained by the next variable's alignment, where all code that refers to it is the same
  /// as before?
  private func isPadded(_ index: Int) -> Bool {
    let address = newAnchors.all[index].address
    let end = newAnchors.end(of: index)
    let alignment: UInt64 = end % 32 == 0 ? 32 : end % 16 == 0 ? 16 : 8
    let used = address &+ room(at: home[index])
    guard end &- used < alignment, newAnchors.all[index].hasOnlyEqualUsers else { return false }
    guard let rest = comparison.new.file.image.bytes(at: used, count: end &- used) else { return true }
    for offset in 0..<rest.count where rest[offset] != 0 { return false }
    return true
  }

  /// Bytes from an old address to the next variable that is used, or the section's end.
  private func room(at address: UInt64) -> UInt64 {
    var next = oldAnchors.lowerBound(address &+ 1)
    let area = comparison.old.regions.region(containing: address)?.range.end ?? address
    while next < oldAnchors.all.count, oldAnchors.all[next].address < area {
      if newOfOld[next] >= 0 || oldAnchors.all[next].uses != 0 || oldAnchors.all[next].isTaken {
        return oldAnchors.all[next].address &- address
      }
      next += 1
    }
    return area &- address
  }

  /// The homes. Variables of `content` have their own in each version. What nothing refers to has its place in the
  /// new version, so that all of its state is accounted for.
  func mapping(content: Set<Int> = []) -> StateMapping {
    let pieces = runs(content)
    var all: [StateMapping.Piece] = []
    all.reserveCapacity(pieces.count)
    var next = 0
    for area in comparison.new.state.areas {
      var position = area.range.start
      while next < pieces.count, pieces[next].new.start < area.range.end {
        fill(&all, position, pieces[next].new.start, area)
        all.append(pieces[next])
        position = pieces[next].new.end
        next += 1
      }
      fill(&all, position, area.range.end, area)
    }
    return StateMapping(pieces: all)
  }

  private func fill(
    _ pieces: inout [StateMapping.Piece], _ start: UInt64, _ end: UInt64, _ area: StateLayout.Area
  ) {
    guard start < end else { return }
    pieces.append(
      StateMapping.Piece(
        new: AddressRange(start: start, count: end &- start), old: 0, name: area.name, kind: .new, tail: nil))
  }

  private func runs(_ content: Set<Int>) -> [StateMapping.Piece] {
    var pieces: [StateMapping.Piece] = []
    var index = 0
    while index < home.count {
      let first = index
      let kind = kind(of: index, content)
      while index + 1 < home.count, kind == self.kind(of: index + 1, content), isOneRun(index, kind) { index += 1 }
      let start = newAnchors.all[first].address
      var count = newAnchors.end(of: index) &- start
      if kind != .new {
        // A run must not reach into what belongs to others there.
        let room = min(room(at: home[index]), newAnchors.bound(of: index))
        count = min(count, newAnchors.all[index].address &- start &+ room)
      }
      let area = comparison.new.regions.region(containing: start)
      pieces.append(
        StateMapping.Piece(
          new: AddressRange(start: start, count: count), old: kind == .new ? 0 : home[first],
          name: area?.name ?? .empty, kind: kind,
          tail: newAnchors.all[index].isTaken ? newAnchors.all[index].address : nil))
      index += 1
    }
    return pieces
  }

  private func kind(of index: Int, _ content: Set<Int>) -> StateMapping.Kind {
    home[index] == UInt64.max ? .new : content.contains(index) ? .content : .shared
  }

  /// Do a variable and the next one go together, in one section?
  private func isOneRun(_ index: Int, _ kind: StateMapping.Kind) -> Bool {
    guard newAnchors.end(of: index) == newAnchors.all[index + 1].address,
      comparison.new.regions.region(containing: newAnchors.all[index].address)?.range.end
        != newAnchors.all[index + 1].address
    else { return false }
    return kind == .new || isFollowed(index)
  }
}
