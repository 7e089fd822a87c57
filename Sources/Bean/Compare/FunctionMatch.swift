import CKernel

/// Which function of the new version stands for which one of the old.
public struct FunctionMatch {
  /// Index in the old version's table, by new index; -1: none, the function was added.
  public private(set) var oldOfNew: [Int32]
  public private(set) var newOfOld: [Int32]
  /// By new index: the pair is the same but for position-dependent fields.
  public private(set) var isEqual: [Bool]
  /// By new index: matched by nothing but the order among others with the same code.
  public private(set) var isByOrder: [Bool]

  init(oldCount: Int, newCount: Int) {
    oldOfNew = [Int32](repeating: -1, count: newCount)
    newOfOld = [Int32](repeating: -1, count: oldCount)
    isEqual = [Bool](repeating: false, count: newCount)
    isByOrder = [Bool](repeating: false, count: newCount)
  }

  mutating func pair(_ old: Int, _ new: Int, isEqual equal: Bool, isByOrder weak: Bool = false) {
    isByOrder[new] = weak
    oldOfNew[new] = Int32(truncatingIfNeeded: old)
    newOfOld[old] = Int32(truncatingIfNeeded: new)
    isEqual[new] = equal
  }

  mutating func countAsChanged(_ new: Int) { isEqual[new] = false }

  func areFree(_ old: Int, _ new: Int) -> Bool { newOfOld[old] < 0 && oldOfNew[new] < 0 }

  /// Nothing but their order, if anything, says what they belong to.
  func areLoose(_ old: Int, _ new: Int) -> Bool {
    (newOfOld[old] < 0 || isByOrder[Int(newOfOld[old])]) && (oldOfNew[new] < 0 || isByOrder[new])
  }

  /// Takes two functions from whatever they were matched with.
  mutating func free(_ old: Int, _ new: Int) {
    if newOfOld[old] >= 0 {
      let other = Int(newOfOld[old])
      (oldOfNew[other], isEqual[other], newOfOld[old]) = (-1, false, -1)
    }
    if oldOfNew[new] >= 0 {
      newOfOld[Int(oldOfNew[new])] = -1
      (oldOfNew[new], isEqual[new]) = (-1, false)
    }
  }
}

/// Matches the functions of two versions: by exported name, by local name, by code that exists once in both, by the
/// calls of functions that are equal, by the order of equal code between those, and last, one changed function alone
/// between two matched neighbours.
struct FunctionMatcher {
  let old: Binary
  let new: Binary
  private(set) var match: FunctionMatch

  init(_ old: Binary, _ new: Binary) {
    self.old = old
    self.new = new
    match = FunctionMatch(oldCount: old.code.functions.count, newCount: new.code.functions.count)
    matchExports()
    matchLocalNames()
    matchLinkage()
    matchUnique()
    matchCallees(match.isEqual.indices.filter { match.isEqual[$0] })
    matchCallees(matchPointers())
    matchCallees(matchCalleesOfChanged())
    matchInOrder()
  }

  private mutating func pair(_ oldIndex: Int, _ newIndex: Int, isByOrder: Bool = false) {
    guard match.areFree(oldIndex, newIndex) else { return }
    match.pair(oldIndex, newIndex, isEqual: isSameCode(oldIndex, newIndex), isByOrder: isByOrder)
  }

  /// What equal functions call at the same place is the same function, if its code is: that tells functions with the
  /// same code from each other.
  private mutating func matchCallees(_ callers: [Int]) {
    var pending = callers
    while let caller = pending.popLast() {
      let left = old.code.functions[Int(match.oldOfNew[caller])]
      let right = new.code.functions[caller]
      for step in 0..<(right.end &- right.first) {
        let (a, b) = (old.code.references[left.first &+ step], new.code.references[right.first &+ step])
        guard b.kind == .branch, let oldIndex = old.code.index(startingAt: a.target),
          let newIndex = new.code.index(startingAt: b.target), match.areFree(oldIndex, newIndex),
          isSameCode(oldIndex, newIndex)
        else { continue }
        match.pair(oldIndex, newIndex, isEqual: true)
        pending.append(newIndex)
      }
    }
  }

  private mutating func matchExports() {
    for entry in old.symbols.entries where entry.isExport && entry.symbol.isFunction {
      guard let other = new.symbols.export(entry.name, entry.version, hash: entry.hash), other.symbol.isFunction,
        let oldIndex = old.code.index(startingAt: entry.symbol.value),
        let newIndex = new.code.index(startingAt: other.symbol.value)
      else { continue }
      pair(oldIndex, newIndex)
    }
  }

  private mutating func matchLocalNames() {
    let (left, right) = (FunctionMatcher.localNames(old), FunctionMatcher.localNames(new))
    FunctionMatcher.forEachUniquePair(left, right) { pair($0, $1) }
  }

  /// The same of changed functions, where the surroundings of the call occur once. Returns new indices.
  private mutating func matchCalleesOfChanged() -> [Int] {
    var found: [Int] = []
    for index in new.code.functions.indices where match.oldOfNew[index] >= 0 && !match.isEqual[index] {
      let function = new.code.functions[index]
      let right = ReferenceContext.all(new, function) { (reference) in
        guard reference.kind == .branch, let target = new.code.index(startingAt: reference.target) else {
          return false
        }
        return match.oldOfNew[target] < 0
      }
      if right.isEmpty { continue }
      let before = old.code.functions[Int(match.oldOfNew[index])]
      let left = ReferenceContext.all(old, before) { $0.kind == .branch }
      var pairs: [(Int, Int)] = []
      ReferenceContext.forEachPair(left, right) { (a, b) in
        guard let oldIndex = old.code.index(startingAt: a.target), let newIndex = new.code.index(startingAt: b.target)
        else { return }
        pairs.append((oldIndex, newIndex))
      }
      for (oldIndex, newIndex) in pairs where match.areFree(oldIndex, newIndex) && isSameCode(oldIndex, newIndex) {
        match.pair(oldIndex, newIndex, isEqual: true)
        found.append(newIndex)
      }
    }
    return found
  }

  /// What exported objects point to at the same place is the same function, if its code is. Returns new indices.
  private mutating func matchPointers() -> [Int] {
    var found: [Int] = []
    for entry in new.symbols.entries where entry.isExport && entry.symbol.isObject && entry.symbol.size >= 8 {
      guard let other = old.symbols.export(entry.name, entry.version, hash: entry.hash), other.symbol.isObject,
        other.symbol.size == entry.symbol.size
      else { continue }
      let (a, b) = (other.symbol.value, entry.symbol.value)
      var (i, j) = (old.relocations.lowerBound(a), new.relocations.lowerBound(b))
      while i < old.relocations.entries.count, j < new.relocations.entries.count {
        let (before, after) = (old.relocations.entries[i], new.relocations.entries[j])
        let (from, to) = (before.address &- a, after.address &- b)
        guard from < entry.symbol.size, to < entry.symbol.size else { break }
        if from == to, let index = pairPointers(before, after) { found.append(index) }
        if from <= to { i += 1 }
        if to <= from { j += 1 }
      }
    }
    return found
  }

  private mutating func pairPointers(_ a: RelocationIndex.Entry, _ b: RelocationIndex.Entry) -> Int? {
    guard a.type == UInt32(R_X86_64_RELATIVE), b.type == a.type,
      let oldIndex = old.code.index(startingAt: UInt64(bitPattern: a.addend)),
      let newIndex = new.code.index(startingAt: UInt64(bitPattern: b.addend)), match.areFree(oldIndex, newIndex),
      isSameCode(oldIndex, newIndex)
    else { return nil }
    match.pair(oldIndex, newIndex, isEqual: true)
    return newIndex
  }

  private static func localNames(_ binary: Binary) -> [Keyed] {
    var found: [Keyed] = []
    for name in binary.symbols.named where name.isLocal && name.isFunction {
      guard let index = binary.code.index(startingAt: name.start) else { continue }
      found.append(Keyed(key: FNV1a.hash(name.name), index: index))
    }
    return found.sorted(by: Keyed.isBefore)
  }

  /// Entries of the PLT by the symbol of their slot.
  private mutating func matchLinkage() {
    FunctionMatcher.forEachUniquePair(FunctionMatcher.linkage(old), FunctionMatcher.linkage(new)) { pair($0, $1) }
  }

  private static func linkage(_ binary: Binary) -> [Keyed] {
    var found: [Keyed] = []
    for index in binary.code.functions.indices where binary.code.functions[index].isLinkage {
      let function = binary.code.functions[index]
      for reference in binary.code.references[function.first..<function.end] where reference.kind == .memory {
        let key = binary.slotNames.hash(ofSlot: reference.target)
        if key != 0 { found.append(Keyed(key: key, index: index)) }
      }
    }
    return found.sorted(by: Keyed.isBefore)
  }

  private mutating func matchUnique() {
    let left = FunctionMatcher.unmatched(old, match.newOfOld, 0..<old.code.functions.count)
    let right = FunctionMatcher.unmatched(new, match.oldOfNew, 0..<new.code.functions.count)
    FunctionMatcher.forEachUniquePair(left, right) { pair($0, $1) }
  }

  /// Unmatched functions of a range by hash, then by address.
  static func unmatched(_ binary: Binary, _ taken: [Int32], _ range: Range<Int>) -> [Keyed] {
    var found: [Keyed] = []
    for index in range where taken[index] < 0 && !binary.code.functions[index].isLinkage {
      found.append(Keyed(key: binary.code.functions[index].hash, index: index))
    }
    return found.sorted(by: Keyed.isBefore)
  }

  /// Is all code the same but for position-dependent fields? Hashes can be made to collide; bytes can't.
  func isSameCode(_ oldIndex: Int, _ newIndex: Int) -> Bool {
    FunctionMatcher.isSameCode(old, oldIndex, new, newIndex)
  }

  static func isSameCode(_ old: Binary, _ oldIndex: Int, _ new: Binary, _ newIndex: Int) -> Bool {
    let (left, right) = (old.code.functions[oldIndex], new.code.functions[newIndex])
    guard left.hash == right.hash, left.isDecoded, right.isDecoded, left.range.count == right.range.count,
      left.end &- left.first == right.end &- right.first,
      let leftBytes = old.file.image.bytes(at: left.range.start, count: left.range.count),
      let rightBytes = new.file.image.bytes(at: right.range.start, count: right.range.count)
    else { return false }
    var compared: UInt64 = 0
    for step in 0..<(left.end &- left.first) {
      let (a, b) = (old.code.references[left.first &+ step], new.code.references[right.first &+ step])
      let position = a.field &- left.range.start
      guard position == b.field &- right.range.start, a.kind == b.kind, a.size == b.size,
        a.trailing == b.trailing, position >= compared,
        leftBytes.slice(at: compared, count: position &- compared)
          == rightBytes.slice(at: compared, count: position &- compared)
      else { return false }
      compared = position &+ UInt64(a.size)
    }
    return leftBytes.suffix(from: compared) == rightBytes.suffix(from: compared)
  }
}

/// A function by what it is looked up with.
struct Keyed {
  let key: UInt64
  let index: Int

  static func isBefore(_ a: Keyed, _ b: Keyed) -> Bool { a.key != b.key ? a.key < b.key : a.index < b.index }
}

extension FunctionMatcher {
  /// Calls `body` for each key that both sorted lists have exactly once.
  static func forEachUniquePair(_ left: [Keyed], _ right: [Keyed], _ body: (Int, Int) -> Void) {
    forEachGroup(left, right) { (a, b) in
      if a.count == 1, b.count == 1 { body(left[a.lowerBound].index, right[b.lowerBound].index) }
    }
  }

  /// Calls `body` with the two ranges of each key that both sorted lists have.
  static func forEachGroup(_ left: [Keyed], _ right: [Keyed], _ body: (Range<Int>, Range<Int>) -> Void) {
    var (i, j) = (0, 0)
    while i < left.count, j < right.count {
      let (a, b) = (left[i].key, right[j].key)
      if a < b {
        i += 1
      } else if b < a {
        j += 1
      } else {
        let (firstI, firstJ) = (i, j)
        while i < left.count, left[i].key == a { i += 1 }
        while j < right.count, right[j].key == a { j += 1 }
        body(firstI..<i, firstJ..<j)
      }
    }
  }
}

// MARK: - Order

extension FunctionMatcher {
  /// Between matched functions that keep their order, equal code that occurs several times is matched by position,
  /// provided that both sides have the same number of it.
  private mutating func matchInOrder() {
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
