/// Matches the variables of two versions one by one: by name, and by what functions that are the same refer to.
///
/// Each vote says that an address of the new version stands for one of the old. The strongest votes decide first, and
/// only where they agree with each other in both directions; weaker ones decide on what is left. A variable without
/// votes keeps its place between neighbours that moved alike. What remains is new, if nothing of the old version
/// remains that it might be; otherwise it is unplaced, and the update refused.
struct VariableMatcher {
  typealias Evidence = VariablePair.Evidence

  struct Vote {
    let new: Int32
    let old: Int32
    let evidence: Evidence
    /// The address is only computed: it may be the end of something else.
    let isAddress: Bool
  }

  let comparison: Comparison
  let oldAnchors: StateAnchors
  let newAnchors: StateAnchors
  /// By index of the new version's anchors; -1: none.
  private(set) var oldOfNew: [Int32]
  private(set) var newOfOld: [Int32]
  /// Addresses in the old version by new index, also where the old version has no anchor; UInt64.max: none.
  private(set) var home: [UInt64]
  private(set) var evidence: [Evidence]
  private(set) var support: [Int32]
  private var votes: [Vote] = []
  /// What is left of the old version when all is decided.
  private(set) var leftovers = Leftovers()

  init(_ comparison: Comparison) {
    self.comparison = comparison
    oldAnchors = StateAnchors(comparison.old, isEqual: [])
    newAnchors = StateAnchors(comparison.new, isEqual: comparison.matches.isEqual)
    oldOfNew = [Int32](repeating: -1, count: newAnchors.all.count)
    newOfOld = [Int32](repeating: -1, count: oldAnchors.all.count)
    home = [UInt64](repeating: UInt64.max, count: newAnchors.all.count)
    evidence = [Evidence](repeating: .none, count: newAnchors.all.count)
    support = [Int32](repeating: 0, count: newAnchors.all.count)
  }

  mutating func match() {
    voteByName()
    settle(.name)
    voteByCode()
    settle(.equalCode)
    var pointers = PointerVotes(self)
    pointers.start(&self)
    while settle(.pointer) { pointers.follow(&self) }
    settle(.similarCode)
    voteByChangedCode()
    settle(.changedCode)
    place()
    leftovers = Leftovers(self)
  }

  mutating func vote(old: UInt64, new: UInt64, _ evidence: Evidence, isAddress: Bool) {
    guard let b = newAnchors.index(of: new), let a = oldAnchors.index(of: old) else { return }
    votes.append(
      Vote(
        new: Int32(truncatingIfNeeded: b), old: Int32(truncatingIfNeeded: a), evidence: evidence,
        isAddress: isAddress))
  }

  mutating func assign(_ b: Int, to address: UInt64, _ evidence: Evidence, support count: Int) {
    home[b] = address
    self.evidence[b] = evidence
    support[b] = Int32(truncatingIfNeeded: count)
    guard let a = oldAnchors.index(of: address) else { return }
    oldOfNew[b] = Int32(truncatingIfNeeded: a)
    newOfOld[a] = Int32(truncatingIfNeeded: b)
  }

  private mutating func voteByName() {
    let (old, new) = (comparison.old, comparison.new)
    for entry in new.symbols.entries where entry.isExport && new.isInState(entry.symbol.value) {
      guard let other = old.symbols.export(entry.name, entry.version, hash: entry.hash) else { continue }
      vote(old: other.symbol.value, new: entry.symbol.value, .name, isAddress: false)
    }
    // With another symbol version it is another symbol, but the same variable.
    FunctionMatcher.forEachUniquePair(Comparison.exportedVariables(old), Comparison.exportedVariables(new)) {
      vote(
        old: old.symbols.entries[$0].symbol.value, new: new.symbols.entries[$1].symbol.value, .name, isAddress: false)
    }
    FunctionMatcher.forEachUniquePair(Comparison.localVariables(old), Comparison.localVariables(new)) {
      vote(old: old.symbols.named[$0].start, new: new.symbols.named[$1].start, .name, isAddress: false)
    }
  }

  private mutating func voteByCode() {
    let (old, new) = (comparison.old, comparison.new)
    for index in new.code.functions.indices where comparison.matches.isEqual[index] {
      let oldIndex = Int(comparison.matches.oldOfNew[index])
      let (left, right) = (old.code.functions[oldIndex], new.code.functions[index])
      if left.first == left.end { continue }
      let isSure = !comparison.matches.isByOrder[index] && comparison.isConsistent(oldIndex, index)
      for step in 0..<(right.end &- right.first) {
        let (a, b) = (old.code.references[left.first &+ step], new.code.references[right.first &+ step])
        if b.kind == .branch { continue }
        var (from, to) = (a.target, b.target)
        if let slotted = comparison.slotTargets(from, to) { (from, to) = slotted }
        vote(old: from, new: to, isSure ? .equalCode : .similarCode, isAddress: b.kind == .address)
      }
    }
  }

  // MARK: - Decisions

  /// Decides by the votes of one sort. Returns whether anything was decided.
  @discardableResult
  private mutating func settle(_ evidence: Evidence) -> Bool {
    var open = votes.filter {
      $0.evidence == evidence && home[Int($0.new)] == UInt64.max && newOfOld[Int($0.old)] < 0
    }
    if evidence != .name { open.removeAll { areOtherExports(Int($0.old), Int($0.new)) } }
    // Names and code speak for themselves. A pointer at the same place may as well be another entry of a table.
    if evidence == .pointer || evidence == .changedCode { open.removeAll { !isAlike(Int($0.old), Int($0.new)) } }
    votes.removeAll { $0.evidence == evidence }
    open.sort { $0.new != $1.new ? $0.new < $1.new : $0.old < $1.old }
    var proposals = VariableMatcher.agreed(open, by: { $0.new }, on: { $0.old })
    proposals.sort { $0.vote.old != $1.vote.old ? $0.vote.old < $1.vote.old : $0.vote.new < $1.vote.new }
    var index = 0
    var hasDecided = false
    while index < proposals.count {
      var end = index + 1
      while end < proposals.count, proposals[end].vote.old == proposals[index].vote.old { end += 1 }
      let firm = (index..<end).filter { !proposals[$0].vote.isAddress }
      if let only = end - index == 1 ? index : firm.count == 1 ? firm[0] : nil {
        let proposal = proposals[only]
        assign(
          Int(proposal.vote.new), to: oldAnchors.all[Int(proposal.vote.old)].address, evidence,
          support: proposal.count)
        hasDecided = true
      }
      index = end
    }
    return hasDecided
  }

  /// Exported variables are told by their names: two that these did not match are not each other's, whatever refers to
  /// them.
  func areOtherExports(_ old: Int, _ new: Int) -> Bool {
    oldAnchors.all[old].isExported && newAnchors.all[new].isExported
  }

  /// Is the content the same, as far as it needs no relocation? Whether there is room enough is asked later.
  private func isAlike(_ a: Int, _ b: Int) -> Bool {
    let common = min(oldAnchors.bound(of: a), newAnchors.bound(of: b))
    let size = min(common, VariableMatcher.maximumContent)
    let (left, right) = (oldAnchors.all[a].address, newAnchors.all[b].address)
    return comparison.old.plainContent(at: left, count: size) == comparison.new.plainContent(at: right, count: size)
  }

  /// Bytes of a variable that are compared: votes must not make comparing quadratic.
  private static var maximumContent: UInt64 { 256 }

  /// For each key of the sorted votes the one value that all of them have, or all that access something.
  private static func agreed(
    _ votes: [Vote], by key: (Vote) -> Int32, on value: (Vote) -> Int32
  ) -> [(vote: Vote, count: Int)] {
    var result: [(vote: Vote, count: Int)] = []
    var index = 0
    while index < votes.count {
      var end = index
      var (isOne, isOneFirm) = (true, true)
      var firm: Vote?
      while end < votes.count, key(votes[end]) == key(votes[index]) {
        if value(votes[end]) != value(votes[index]) { isOne = false }
        if !votes[end].isAddress {
          if let firm, value(firm) != value(votes[end]) { isOneFirm = false }
          firm = votes[end]
        }
        end += 1
      }
      if isOne {
        result.append((firm ?? votes[index], end - index))
      } else if isOneFirm, let firm {
        result.append((firm, votes[index..<end].filter { value($0) == value(firm) }.count))
      }
      index = end
    }
    return result
  }
}

extension Comparison {
  /// Do the calls and texts of two equal functions correspond? Then they are each other's, and not only alike.
  func isConsistent(_ oldIndex: Int, _ newIndex: Int) -> Bool {
    let (left, right) = (old.code.functions[oldIndex], new.code.functions[newIndex])
    for step in 0..<(right.end &- right.first) {
      let (a, b) = (old.code.references[left.first &+ step], new.code.references[right.first &+ step])
      if b.kind == .branch {
        guard let from = old.code.index(startingAt: a.target), let to = new.code.index(startingAt: b.target) else {
          continue
        }
        let isFree = matches.areFree(from, to)
        if !isFree, matches.oldOfNew[to] != Int32(truncatingIfNeeded: from) { return false }
      } else if new.regions.kind(of: b.target) == .readOnly, old.regions.kind(of: a.target) == .readOnly {
        if let before = old.shortText(at: a.target), before != new.shortText(at: b.target) { return false }
      }
    }
    return true
  }

  /// Where two GOT slots lead, if it is to variables of the object itself.
  func slotTargets(_ a: UInt64, _ b: UInt64) -> (UInt64, UInt64)? {
    guard new.regions.kind(of: b) == .got, old.regions.kind(of: a) == .got,
      let before = old.relocations.entry(at: a), let after = new.relocations.entry(at: b),
      let from = old.stateTarget(of: before), let to = new.stateTarget(of: after)
    else { return nil }
    return (from, to)
  }
}

extension Binary {
  /// A hash of content without relocated words and trailing zeros.
  func plainContent(at address: UInt64, count: UInt64) -> UInt64 {
    var hash = FNV1a()
    guard let bytes = file.image.bytes(at: address, count: count) else { return hash.value }
    var next = relocations.lowerBound(address)
    var zeros: UInt64 = 0
    for offset in 0..<bytes.count {
      let place = address &+ UInt64(offset)
      while next < relocations.entries.count, relocations.entries[next].address &+ 8 <= place { next += 1 }
      let isRelocated = next < relocations.entries.count && relocations.entries[next].address <= place
      let byte = isRelocated ? 0xff : bytes[offset]
      if byte == 0 {
        zeros &+= 1
      } else {
        hash.combine(zeros)
        hash.combine(byte)
        zeros = 0
      }
    }
    return hash.value
  }

  /// Printable text of at least 3 and less than 256 bytes.
  func shortText(at address: UInt64) -> Bytes? {
    guard let all = file.image.bytes(from: address),
      let text = all.slice(at: 0, count: min(UInt64(all.count), 256))?.cString(at: 0), text.count >= 3
    else { return nil }
    for index in 0..<text.count where text[index] < 0x20 && !(text[index] >= 0x08 && text[index] <= 0x0d) {
      return nil
    }
    return text
  }
}
