/// Votes by pointers: what corresponding words of data point to corresponds as well. Followed from variables that are
/// matched, and from constants that equal functions refer to.
struct PointerVotes {
  private struct Pair: Hashable {
    let old: UInt64
    let new: UInt64
  }

  private let old: Binary
  private let new: Binary
  private let extents: (old: ExtentMap, new: ExtentMap)
  private var visited: Set<Pair> = []
  private var isFollowed: [Bool]

  init(_ matcher: VariableMatcher) {
    old = matcher.comparison.old
    new = matcher.comparison.new
    extents = (ExtentMap(old), ExtentMap(new))
    isFollowed = [Bool](repeating: false, count: matcher.newAnchors.all.count)
  }

  /// From constants that code refers to, and from variables.
  mutating func start(_ matcher: inout VariableMatcher) {
    let comparison = matcher.comparison
    for index in new.code.functions.indices where comparison.matches.isEqual[index] {
      let left = old.code.functions[Int(comparison.matches.oldOfNew[index])]
      let right = new.code.functions[index]
      for step in 0..<(right.end &- right.first) {
        let (a, b) = (old.code.references[left.first &+ step], new.code.references[right.first &+ step])
        if b.kind != .branch { followConstant(a.target, b.target, &matcher) }
      }
    }
    follow(&matcher)
  }

  /// From variables that were matched since.
  mutating func follow(_ matcher: inout VariableMatcher) {
    for index in isFollowed.indices where !isFollowed[index] && matcher.oldOfNew[index] >= 0 {
      isFollowed[index] = true
      let before = Int(matcher.oldOfNew[index])
      let count = min(matcher.oldAnchors.extent(of: before), matcher.newAnchors.extent(of: index))
      compare(matcher.oldAnchors.all[before].address, matcher.newAnchors.all[index].address, count, &matcher)
    }
  }

  private mutating func followConstant(_ a: UInt64, _ b: UInt64, _ matcher: inout VariableMatcher) {
    var pending = [Pair(old: a, new: b)]
    while let pair = pending.popLast() {
      guard old.regions.kind(of: pair.old) == .relro, new.regions.kind(of: pair.new) == .relro else { continue }
      let count = min(extents.old.extent(at: pair.old), extents.new.extent(at: pair.new))
      // Each object is looked at once, with the first that it is compared with: this is bounded.
      guard count != 0, visited.insert(Pair(old: pair.old, new: 0)).inserted else { continue }
      pending += compare(pair.old, pair.new, count, &matcher)
    }
  }

  /// Votes for the pointers to state among `count` bytes; returns those to constants.
  @discardableResult
  private func compare(_ a: UInt64, _ b: UInt64, _ count: UInt64, _ matcher: inout VariableMatcher) -> [Pair] {
    var constants: [Pair] = []
    var (i, j) = (old.relocations.lowerBound(a), new.relocations.lowerBound(b))
    while i < old.relocations.entries.count, j < new.relocations.entries.count {
      let (before, after) = (old.relocations.entries[i], new.relocations.entries[j])
      let (from, to) = (before.address &- a, after.address &- b)
      guard from < count, to < count else { break }
      if from == to, before.type == after.type {
        if let first = old.stateTarget(of: before), let second = new.stateTarget(of: after) {
          matcher.vote(old: first, new: second, .pointer, isAddress: false)
        } else if before.symbol == 0, after.symbol == 0 {
          constants.append(Pair(old: UInt64(bitPattern: before.addend), new: UInt64(bitPattern: after.addend)))
        }
      }
      if from <= to { i += 1 }
      if to <= from { j += 1 }
    }
    return constants
  }
}
