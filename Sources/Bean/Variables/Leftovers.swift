/// Variables of the old version without a counterpart, and which variable of the new version, without one as well,
/// might be theirs after all.
///
/// That takes a function that uses both: one that the old one was used by, or what became of it, or a new function
/// that this one calls now, or a removed function and a new one. Pointers in data may have become any others.
struct Leftovers {
  private struct Use {
    var size: UInt64
    var isTaken: Bool
    let isExported: Bool
    /// New indices of functions that use it, or are called by such, or may be such.
    var functions: Set<Int32> = []
    var hasLostUser = false
    var isPointedTo = false
  }

  private var all: [Use] = []
  /// Users of the new version's variables without a counterpart.
  private var users: [Int: [Int]] = [:]
  private var addedFunctions: Set<Int> = []
  /// Too many to look at one by one: any might be any.
  private var isUnknown = false

  private static var maximum: Int { 4096 }

  init() {}

  init(_ matcher: VariableMatcher) {
    let comparison = matcher.comparison
    let open = matcher.newAnchors.all.indices.filter { matcher.home[$0] == UInt64.max }
    let left = matcher.oldAnchors.all.indices.filter {
      let anchor = matcher.oldAnchors.all[$0]
      return matcher.newOfOld[$0] < 0 && (anchor.uses != 0 || anchor.isTaken) && !matcher.isCovered($0)
    }
    if open.isEmpty || left.isEmpty { return }
    isUnknown = open.count > Leftovers.maximum || left.count > Leftovers.maximum
    if isUnknown { return }
    users = matcher.users(of: open, matcher.newAnchors, comparison.new)
    let before = matcher.users(of: left, matcher.oldAnchors, comparison.old)
    for (_, functions) in users {
      for index in functions where comparison.matches.oldOfNew[index] < 0 { addedFunctions.insert(index) }
    }
    for index in left {
      let anchor = matcher.oldAnchors.all[index]
      var use = Use(size: matcher.oldAnchors.bound(of: index), isTaken: anchor.isTaken, isExported: anchor.isExported)
      let functions = before[index] ?? []
      use.isPointedTo = anchor.isPointedTo
      for function in functions {
        let counterpart = comparison.matches.newOfOld[function]
        if counterpart < 0 { use.hasLostUser = true } else { add(counterpart, &use, comparison) }
      }
      all.append(use)
    }
  }

  /// A function, and new ones that it calls.
  private func add(_ function: Int32, _ use: inout Use, _ comparison: Comparison) {
    guard use.functions.insert(function).inserted else { return }
    let code = comparison.new.code
    let caller = code.functions[Int(function)]
    for reference in code.references[caller.first..<caller.end] where reference.kind == .branch {
      guard let callee = code.index(startingAt: reference.target), addedFunctions.contains(callee) else { continue }
      use.functions.insert(Int32(truncatingIfNeeded: callee))
    }
  }

  /// Might a variable of the new version be one of these?
  func mayHave(_ index: Int, _ anchors: StateAnchors) -> Bool {
    if isUnknown { return true }
    let (anchor, size) = (anchors.all[index], anchors.bound(of: index))
    let functions = users[index] ?? []
    let isAdded = functions.contains { addedFunctions.contains($0) }
    return all.contains { (use) in
      if use.isExported && anchor.isExported { return false }
      guard use.size == size || use.isTaken && anchor.isTaken else { return false }
      if use.isPointedTo && anchor.isPointedTo || use.hasLostUser && isAdded { return true }
      return functions.contains { use.functions.contains(Int32(truncatingIfNeeded: $0)) }
    }
  }
}

extension VariableMatcher {
  /// The functions that refer to each of the anchors `wanted`, which are sorted.
  func users(of wanted: [Int], _ anchors: StateAnchors, _ binary: Binary) -> [Int: [Int]] {
    var found: [Int: [Int]] = [:]
    let addresses = Set(wanted.map { anchors.all[$0].address })
    for index in binary.code.functions.indices {
      let function = binary.code.functions[index]
      for reference in binary.code.references[function.first..<function.end] where reference.kind != .branch {
        guard binary.isInState(reference.target), addresses.contains(reference.target),
          let anchor = anchors.index(of: reference.target)
        else { continue }
        if found[anchor]?.last != index { found[anchor, default: []].append(index) }
      }
    }
    return found
  }
}
