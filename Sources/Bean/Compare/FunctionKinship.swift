/// Which functions that were removed and added may stand in for each other, although their code does not say so: one
/// that was written anew, another split of the same code.
///
/// Either they are in the same order among the same number of such functions, between two neighbours that correspond
/// (compilers keep the order of the source), or both serve the same function: it calls the one, or calls what calls it,
/// and its counterpart the other.
struct FunctionKinship {
  private let comparison: Comparison
  private var old: Side
  private var new: Side

  init(_ comparison: Comparison) {
    self.comparison = comparison
    old = Side(comparison.old, comparison.matches.newOfOld)
    new = Side(comparison.new, comparison.matches.oldOfNew)
  }

  mutating func isAny(of removed: [Int], kinTo added: [Int]) -> Bool {
    for before in removed {
      for after in added where isInPlace(before, after) { return true }
    }
    return haveCommonUser(removed, added)
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

  private mutating func haveCommonUser(_ removed: [Int], _ added: [Int]) -> Bool {
    let users = new.matchedUsers(of: added)
    let before = old.matchedUsers(of: removed)
    return before.contains { users.contains(Int(comparison.matches.newOfOld[$0])) }
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
    private let binary: Binary
    /// Made where the order says nothing.
    private var graph: CallGraph?
    private let counterparts: [Int32]

    private static var maximum: Int { 256 }

    init(_ binary: Binary, _ counterparts: [Int32]) {
      (self.binary, self.counterparts) = (binary, counterparts)
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
    }

    private mutating func note(_ lone: [Int], _ previous: Int?, _ next: Int?) {
      for (rank, index) in lone.enumerated() {
        places[index] = Place(previous: previous, next: next, rank: rank, count: lone.count)
      }
    }

    /// Functions with a counterpart that use one of these, be it through others without one.
    mutating func matchedUsers(of functions: [Int]) -> Set<Int> {
      let graph = self.graph ?? CallGraph(binary)
      self.graph = graph
      var (found, seen, next) = (Set<Int>(), Set(functions), functions)
      while let function = next.popLast(), seen.count < Side.maximum {
        for user in graph.users(of: function) {
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
