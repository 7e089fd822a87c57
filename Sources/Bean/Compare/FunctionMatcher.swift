/// Matches the functions of two versions: by exported name, by local name, by code that exists once in both, by the
/// calls of functions that are equal, by the order of equal code between those, and last, one changed function alone
/// between two matched neighbours.
struct FunctionMatcher {
  let old: Binary
  let new: Binary
  var match: FunctionMatch

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

  mutating func pair(_ oldIndex: Int, _ newIndex: Int, isByOrder: Bool = false) {
    guard match.areFree(oldIndex, newIndex) else { return }
    match.pair(oldIndex, newIndex, isEqual: isSameCode(oldIndex, newIndex), isByOrder: isByOrder)
  }

  private mutating func matchExports() {
    var isExport = (
      old: [Bool](repeating: false, count: match.newOfOld.count),
      new: [Bool](repeating: false, count: match.oldOfNew.count)
    )
    for entry in new.symbols.entries where new.symbols.isFunctionFound(by: entry) {
      if let index = new.code.index(startingAt: entry.symbol.value) { isExport.new[index] = true }
    }
    for entry in old.symbols.entries where old.symbols.isFunctionFound(by: entry) {
      guard let oldIndex = old.code.index(startingAt: entry.symbol.value) else { continue }
      isExport.old[oldIndex] = true
      guard let other = new.symbols.export(entry.name, entry.version, hash: entry.hash), other.symbol.isFunction,
        let newIndex = new.code.index(startingAt: other.symbol.value)
      else { continue }
      pair(oldIndex, newIndex)
    }
    // The same name with another version is another symbol for a program, but the same function.
    FunctionMatcher.forEachUniquePair(
      FunctionMatcher.exportNames(old, match.newOfOld), FunctionMatcher.exportNames(new, match.oldOfNew)
    ) { pair($0, $1) }
    match.keepApart(exports: isExport.old, isExport.new)
  }

  private static func exportNames(_ binary: Binary, _ taken: [Int32]) -> [Keyed] {
    var found: [Keyed] = []
    for entry in binary.symbols.entries where entry.isExport && entry.symbol.isFunction {
      guard let index = binary.code.index(startingAt: entry.symbol.value), taken[index] < 0 else { continue }
      found.append(Keyed(key: FNV1a.hash(entry.name), index: index))
    }
    return found.sorted(by: Keyed.isBefore)
  }

  private mutating func matchLocalNames() {
    let (left, right) = (FunctionMatcher.localNames(old), FunctionMatcher.localNames(new))
    FunctionMatcher.forEachUniquePair(left, right) { pair($0, $1) }
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
    if new.isTwin(newIndex, of: oldIndex, in: old) { return true }
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

extension SymbolIndex {
  /// Is it an exported function, and what its name leads to? A damaged file may have a name twice.
  fileprivate func isFunctionFound(by entry: Entry) -> Bool {
    guard entry.isExport, entry.symbol.isFunction else { return false }
    return export(entry.name, entry.version, hash: entry.hash)?.symbol.value == entry.symbol.value
  }
}
