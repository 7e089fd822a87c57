/// Which item of a new version stands for which one of the old.
///
/// Functions and variables come from the matchers that the verdict uses. Other data is matched by name, then by what
/// refers to it: where the same code refers to something in both versions, it is the same thing. The same goes for
/// functions that changed and have no name. What is left is matched by content that occurs once, and by place between
/// matched neighbours.
public struct ItemPairs {
  public let old: ItemTable
  public let new: ItemTable
  public private(set) var oldOfNew: [Int32]
  public private(set) var newOfOld: [Int32]
  /// Of the variables in state sections, as the verdict has them.
  public let variables: [VariablePair]
  /// By index of the new table: a variable that is known to be new.
  private var isNew: [Bool]
  /// Indices in the old table of pairs whose references were not followed yet.
  private var pending: [Int32] = []

  public init(_ old: ItemTable, _ new: ItemTable) {
    self.old = old
    self.new = new
    oldOfNew = [Int32](repeating: -1, count: new.items.count)
    newOfOld = [Int32](repeating: -1, count: old.items.count)
    isNew = [Bool](repeating: false, count: new.items.count)
    let match = VersionMatch(old.binary, new.binary)
    variables = match.variables
    pairFunctions(match.functions)
    pairVariables()
    pairNames()
    // Each round makes at least one pair, and most are made in the first; chains of pointers are seldom long.
    for _ in 0..<16 where !pending.isEmpty { follow() }
    pairContent()
    pairNeighbours()
    for _ in 0..<16 where !pending.isEmpty { follow() }
  }

  private mutating func pair(_ a: Int, _ b: Int) {
    guard newOfOld[a] < 0, oldOfNew[b] < 0, !isNew[b] else { return }
    newOfOld[a] = Int32(truncatingIfNeeded: b)
    oldOfNew[b] = Int32(truncatingIfNeeded: a)
    pending.append(Int32(truncatingIfNeeded: a))
  }

  private mutating func pairFunctions(_ match: FunctionMatch) {
    for function in match.newOfOld.indices where match.newOfOld[function] >= 0 {
      guard let a = old.index(ofFunction: function), let b = new.index(ofFunction: Int(match.newOfOld[function]))
      else {
        continue
      }
      pair(a, b)
    }
  }

  private mutating func pairVariables() {
    for variable in variables {
      guard let range = variable.new, let b = new.index(startingAt: range.start) else { continue }
      if let home = variable.old, let a = old.index(startingAt: home.start) { pair(a, b) }
      if variable.kind == .new { isNew[b] = true }
    }
  }

  // MARK: - Names

  private mutating func pairNames() {
    FunctionMatcher.forEachUniquePair(ItemPairs.names(old, newOfOld), ItemPairs.names(new, oldOfNew)) {
      if old.items[$0].name == new.items[$1].name { pair($0, $1) }
    }
  }

  private static func names(_ table: ItemTable, _ taken: [Int32]) -> [Keyed] {
    var found: [Keyed] = []
    for index in table.items.indices where taken[index] < 0 && table.items[index].name.count != 0 {
      var hash = FNV1a()
      hash.combine(table.items[index].name)
      hash.combine(table.items[index].kind.hashClass)
      found.append(Keyed(key: hash.value, index: index))
    }
    return found.sorted(by: Keyed.isBefore)
  }

  // MARK: - References

  private struct Vote: Hashable {
    let old: Int32
    let new: Int32
  }

  /// Counts what the references of new pairs say, and pairs where both sides prefer each other.
  private mutating func follow() {
    var votes: [Vote: Int] = [:]
    let sources = pending
    pending = []
    for source in sources { count(Int(source), Int(newOfOld[Int(source)]), &votes) }
    var sorted = votes.map { ($0.key, $0.value) }
    sorted.sort { a, b in
      if a.1 != b.1 { return a.1 > b.1 }
      return a.0.old != b.0.old ? a.0.old < b.0.old : a.0.new < b.0.new
    }
    for (vote, _) in sorted { pair(Int(vote.old), Int(vote.new)) }
  }

  private func count(_ a: Int, _ b: Int, _ votes: inout [Vote: Int]) {
    let (left, right) = (old.items[a], new.items[b])
    let isWhole = left.internalHash == right.internalHash
    let steps = min(left.end &- left.first, right.end &- right.first)
    for step in 0..<steps {
      let (x, y) = (old.references[left.first &+ step], new.references[right.first &+ step])
      // In changed code, up to where the two part.
      guard x.kind == y.kind, x.field &- left.range.start == y.field &- right.range.start else { return }
      guard x.target.kind == .item, y.target.kind == .item, x.target.offset == y.target.offset else { continue }
      let (c, d) = (Int(x.target.index), Int(y.target.index))
      guard newOfOld[c] < 0, oldOfNew[d] < 0, old.items[c].kind.hashClass == new.items[d].kind.hashClass,
        ItemPairs.mayBeOne(old.items[c], new.items[d])
      else { continue }
      let vote = Vote(old: x.target.index, new: y.target.index)
      votes[vote] = (votes[vote] ?? 0) &+ (isWhole ? 16 : 1)
    }
  }

  /// Other names are other things; that only one has a name says nothing.
  private static func mayBeOne(_ a: Item, _ b: Item) -> Bool {
    a.name.count == 0 || b.name.count == 0 || !a.isExport && !b.isExport
  }

  // MARK: - Content and place

  private mutating func pairContent() {
    let (left, right) = (ItemPairs.contents(old, newOfOld), ItemPairs.contents(new, oldOfNew))
    FunctionMatcher.forEachGroup(left, right) { (a, b) in
      guard a.count == b.count else { return }
      for step in 0..<a.count { pair(left[a.lowerBound + step].index, right[b.lowerBound + step].index) }
    }
  }

  private static func contents(_ table: ItemTable, _ taken: [Int32]) -> [Keyed] {
    var found: [Keyed] = []
    for index in table.items.indices where taken[index] < 0 && table.items[index].name.count == 0 {
      if table.items[index].kind == .function { continue }
      found.append(Keyed(key: table.items[index].internalHash, index: index))
    }
    return found.sorted(by: Keyed.isBefore)
  }

  /// What lies alone between two items whose neighbours are matched is the same thing, changed.
  private mutating func pairNeighbours() {
    for (first, end) in [(0, old.threadStart), (old.threadStart, old.labelStart)] {
      for index in first..<max(first, end) where newOfOld[index] < 0 && old.items[index].name.count == 0 {
        guard index > first, newOfOld[index &- 1] >= 0 else { continue }
        let candidate = Int(newOfOld[index &- 1]) &+ 1
        guard candidate < new.labelStart, oldOfNew[candidate] < 0,
          old.items[index].kind == new.items[candidate].kind, new.items[candidate].name.count == 0,
          isSameRegion(index, candidate), isEndOfGap(index, candidate, end)
        else { continue }
        pair(index, candidate)
      }
    }
  }

  /// Are the items behind both each other's as well, or is there none?
  private func isEndOfGap(_ index: Int, _ candidate: Int, _ end: Int) -> Bool {
    let (a, b) = (index &+ 1, candidate &+ 1)
    let isLast = (a >= end || !isSame(old, a, index), b >= new.labelStart || !isSame(new, b, candidate))
    if isLast.0 || isLast.1 { return isLast.0 == isLast.1 }
    return Int(newOfOld[a]) == b
  }

  private func isSame(_ table: ItemTable, _ a: Int, _ b: Int) -> Bool {
    table.items[a].region == table.items[b].region && table.items[a].kind == table.items[b].kind
  }

  private func isSameRegion(_ a: Int, _ b: Int) -> Bool {
    let (left, right) = (old.items[a].region, new.items[b].region)
    guard left >= 0, right >= 0 else { return left == right }
    return old.binary.regions.regions[Int(left)].name == new.binary.regions.regions[Int(right)].name
  }
}
