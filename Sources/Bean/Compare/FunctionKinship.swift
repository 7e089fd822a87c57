/// Which functions that were removed and added may stand in for each other, although their code does not say so: one
/// that was written anew, another split of the same code.
///
/// Either they are in the same order among the same number of such functions, between two neighbours that correspond
/// (compilers keep the order of the source), or both serve the same function: it calls the one, or calls what calls it,
/// and its counterpart the other.
struct FunctionKinship {
  private let comparison: Comparison
  private let old: Side
  private let new: Side

  init(_ comparison: Comparison) {
    self.comparison = comparison
    old = Side(comparison.old, comparison.matches.newOfOld)
    new = Side(comparison.new, comparison.matches.oldOfNew)
  }

  func isAny(of removed: [Int], kinTo added: [Int]) -> Bool {
    removed.contains { (before) in added.contains { isInPlace(before, $0) } } || haveCommonUser(removed, added)
  }

  private func isInPlace(_ before: Int, _ after: Int) -> Bool {
    guard let left = old.places[before], let right = new.places[after] else { return false }
    return left.rank == right.rank && left.count == right.count && areSame(left.previous, right.previous)
      && areSame(left.next, right.next)
  }

  /// nil: before the first function, or behind the last.
  private func areSame(_ before: Int?, _ after: Int?) -> Bool {
    guard let before, let after else { return before == nil && after == nil }
    return comparison.matches.oldOfNew[after] == Int32(truncatingIfNeeded: before)
  }

  private func haveCommonUser(_ removed: [Int], _ added: [Int]) -> Bool {
    let users = new.matchedUsers(of: added)
    return old.matchedUsers(of: removed).contains { users.contains(Int(comparison.matches.newOfOld[$0])) }
  }

  /// The functions of one version.
  private struct Side {
    /// Of a function without a counterpart: the nearest ones that have one, and where it is among those between them.
    struct Place {
      let previous: Int?
      let next: Int?
      let rank: Int
      let count: Int
    }

    private(set) var places: [Int: Place] = [:]
    /// Of functions without a counterpart: who refers to them.
    private var users: [Int: [Int]] = [:]
    private let counterparts: [Int32]

    private static var maximum: Int { 256 }

    init(_ binary: Binary, _ counterparts: [Int32]) {
      self.counterparts = counterparts
      var (lone, previous): ([Int], Int?) = ([], nil)
      for index in counterparts.indices where !binary.code.functions[index].isLinkage {
        if counterparts[index] < 0 {
          lone.append(index)
        } else {
          note(lone, previous, index)
          (lone, previous) = ([], index)
        }
      }
      note(lone, previous, nil)
      for index in counterparts.indices {
        let function = binary.code.functions[index]
        for reference in binary.code.references[function.first..<function.end] {
          guard let target = binary.code.index(startingAt: reference.target), counterparts[target] < 0 else {
            continue
          }
          if users[target]?.last != index { users[target, default: []].append(index) }
        }
      }
    }

    private mutating func note(_ lone: [Int], _ previous: Int?, _ next: Int?) {
      for (rank, index) in lone.enumerated() {
        places[index] = Place(previous: previous, next: next, rank: rank, count: lone.count)
      }
    }

    /// Functions with a counterpart that use one of these, be it through others without one.
    func matchedUsers(of functions: [Int]) -> Set<Int> {
      var (found, seen, next) = (Set<Int>(), Set(functions), functions)
      while let function = next.popLast(), seen.count < Side.maximum {
        for user in users[function] ?? [] {
          if counterparts[user] >= 0 {
            found.insert(user)
          } else if seen.insert(user).inserted {
            next.append(user)
          }
        }
      }
      return found
    }
  }
}
