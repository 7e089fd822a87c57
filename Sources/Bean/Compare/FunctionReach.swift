import CKernel

/// Matches by what functions that are matched already lead to.
///
/// Where several disagree, those that are more count, and nobody where none are more: who is asked first must make no
/// difference, nor which of the versions is the new one.
extension FunctionMatcher {
  /// That an old and a new function are each other's.
  private struct Proposal {
    let old: Int32
    let new: Int32
    var count: Int32 = 1

    init(_ old: Int, _ new: Int) {
      self.old = Int32(truncatingIfNeeded: old)
      self.new = Int32(truncatingIfNeeded: new)
    }
  }

  /// What equal functions call at the same place is the same function, if its code is: that tells functions with the
  /// same code from each other.
  mutating func matchCallees(_ callers: [Int]) {
    var pending = callers
    while !pending.isEmpty {
      var proposals: [Proposal] = []
      for caller in pending {
        let left = old.code.functions[Int(match.oldOfNew[caller])]
        let right = new.code.functions[caller]
        for step in 0..<(right.end &- right.first) {
          let (a, b) = (old.code.references[left.first &+ step], new.code.references[right.first &+ step])
          if b.kind == .branch { propose(a.target, b.target, &proposals) }
        }
      }
      pending = accept(proposals)
    }
  }

  /// The same of changed functions, where the surroundings of the call occur once. Returns new indices.
  mutating func matchCalleesOfChanged() -> [Int] {
    var proposals: [Proposal] = []
    for index in new.code.functions.indices where match.oldOfNew[index] >= 0 && !match.isEqual[index] {
      let right = ReferenceContext.all(new, new.code.functions[index]) { (reference) in
        guard reference.kind == .branch, let target = new.code.index(startingAt: reference.target) else {
          return false
        }
        return match.oldOfNew[target] < 0
      }
      if right.isEmpty { continue }
      let before = old.code.functions[Int(match.oldOfNew[index])]
      let left = ReferenceContext.all(old, before) { (reference) in
        guard reference.kind == .branch, let target = old.code.index(startingAt: reference.target) else {
          return false
        }
        return match.newOfOld[target] < 0
      }
      ReferenceContext.forEachPair(left, right) { (a, b) in propose(a.target, b.target, &proposals) }
    }
    return accept(proposals)
  }

  /// What exported objects point to at the same place is the same function, if its code is. Returns new indices.
  mutating func matchPointers() -> [Int] {
    var proposals: [Proposal] = []
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
        if from == to, before.type == UInt32(R_X86_64_RELATIVE), after.type == before.type {
          propose(UInt64(bitPattern: before.addend), UInt64(bitPattern: after.addend), &proposals)
        }
        if from <= to { i += 1 }
        if to <= from { j += 1 }
      }
    }
    return accept(proposals)
  }

  /// Of two addresses at which functions begin that are not matched yet, and may be the same.
  private func propose(_ a: UInt64, _ b: UInt64, _ proposals: inout [Proposal]) {
    guard let newIndex = new.code.index(startingAt: b), match.oldOfNew[newIndex] < 0,
      let oldIndex = old.code.index(startingAt: a), match.areFree(oldIndex, newIndex),
      old.code.functions[oldIndex].hash == new.code.functions[newIndex].hash
    else { return }
    proposals.append(Proposal(oldIndex, newIndex))
  }

  /// Pairs what both sides have most proposals for, if it is the same code. Returns new indices.
  private mutating func accept(_ proposals: [Proposal]) -> [Int] {
    var counted: [Proposal] = []
    for proposal in proposals.sorted(by: { $0.new != $1.new ? $0.new < $1.new : $0.old < $1.old }) {
      if let last = counted.last, last.new == proposal.new, last.old == proposal.old {
        counted[counted.count &- 1].count &+= 1
      } else {
        counted.append(proposal)
      }
    }
    counted.removeAll { !isSameCode(Int($0.old), Int($0.new)) }
    var wanted: [Int32: Int32] = [:]
    for proposal in FunctionMatcher.best(counted, by: { $0.new }) { wanted[proposal.new] = proposal.old }
    counted.sort { $0.old != $1.old ? $0.old < $1.old : $0.new < $1.new }
    var found: [Int] = []
    for proposal in FunctionMatcher.best(counted, by: { $0.old }) where wanted[proposal.new] == proposal.old {
      match.pair(Int(proposal.old), Int(proposal.new), isEqual: true)
      found.append(Int(proposal.new))
    }
    return found
  }

  /// For each key of the list, which is sorted by it, the proposal that more speak for than for any other.
  private static func best(_ list: [Proposal], by key: (Proposal) -> Int32) -> [Proposal] {
    var found: [Proposal] = []
    var index = 0
    while index < list.count {
      let first = list[index]
      var (most, isTie) = (first, false)
      index &+= 1
      while index < list.count, key(list[index]) == key(first) {
        if list[index].count > most.count {
          (most, isTie) = (list[index], false)
        } else if list[index].count == most.count {
          isTie = true
        }
        index &+= 1
      }
      if !isTie { found.append(most) }
    }
    return found
  }
}
