import CKernel

/// Matches by what functions that are matched already lead to.
extension FunctionMatcher {
  /// What equal functions call at the same place is the same function, if its code is: that tells functions with the
  /// same code from each other.
  mutating func matchCallees(_ callers: [Int]) {
    var pending = callers
    while let caller = pending.popLast() {
      let left = old.code.functions[Int(match.oldOfNew[caller])]
      let right = new.code.functions[caller]
      for step in 0..<(right.end &- right.first) {
        let (a, b) = (old.code.references[left.first &+ step], new.code.references[right.first &+ step])
        guard b.kind == .branch, let newIndex = new.code.index(startingAt: b.target), match.oldOfNew[newIndex] < 0,
          let oldIndex = old.code.index(startingAt: a.target), match.areFree(oldIndex, newIndex),
          isSameCode(oldIndex, newIndex)
        else { continue }
        match.pair(oldIndex, newIndex, isEqual: true)
        pending.append(newIndex)
      }
    }
  }

  /// The same of changed functions, where the surroundings of the call occur once. Returns new indices.
  mutating func matchCalleesOfChanged() -> [Int] {
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
  mutating func matchPointers() -> [Int] {
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
}
