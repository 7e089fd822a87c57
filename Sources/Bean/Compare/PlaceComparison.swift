/// A variable of which all users are gone, and at its place, with the same initial content, one of which all users are
/// new: no code that corresponds says that they are one. If they are not, new code begins with what old code left there.
///
/// One of the following is asked for, then: a user of the one and a user of the other stand in for each other
/// (`FunctionKinship`), or the initial content is more than some number or flag. What nobody wrote to is no matter.
extension Comparison {
  func comparePlaces() {
    let after = LoneVariables(new, matches.oldOfNew)
    if after.all.isEmpty { return }
    let before = LoneVariables(old, matches.newOfOld)
    if before.all.isEmpty { return }
    var kinship: FunctionKinship?
    var anchors: StateAnchors?
    for target in after.all.keys.sorted() {
      guard let home = mapping.old(for: target), let earlier = before.all[home], earlier.mayBeWritten,
        let users = after.all[target]?.users
      else { continue }
      if kinship == nil { kinship = FunctionKinship(self) }
      if kinship?.isAny(of: earlier.users, kinTo: users) == true { continue }
      if anchors == nil { anchors = StateAnchors(new, isEqual: []) }
      if let index = anchors?.index(of: target), hasOwnContent(target, anchors?.bound(of: index) ?? 0) { continue }
      refuse(Refusal(.variableUnplaced, old: old.place(at: home), new: new.place(at: target)))
    }
  }

  /// Tables and texts: at least 8 bytes that are not zero, where a relocated word counts as 8.
  private func hasOwnContent(_ address: UInt64, _ count: UInt64) -> Bool {
    let next = new.relocations.lowerBound(address)
    if next < new.relocations.entries.count, new.relocations.entries[next].address < address &+ count { return true }
    guard let bytes = new.file.image.bytes(at: address, count: min(count, 256)) else { return false }
    return (0..<bytes.count).count { bytes[$0] != 0 } >= 8
  }
}

/// Variables that functions without a counterpart use, and nothing else refers to.
private struct LoneVariables {
  struct Use {
    var mayBeWritten = false
    /// Indices of functions.
    var users: [Int] = []
  }

  /// By address.
  private(set) var all: [UInt64: Use] = [:]

  /// `counterparts`: of each function; -1: none.
  init(_ binary: Binary, _ counterparts: [Int32]) {
    for index in counterparts.indices where counterparts[index] < 0 {
      binary.forEachStateAccess(of: binary.code.functions[index]) { (reference, access) in
        var use = all[reference.target] ?? Use()
        use.mayBeWritten = use.mayBeWritten || reference.kind == .address || access.mayWrite
        if use.users.last != index { use.users.append(index) }
        all[reference.target] = use
      }
    }
    if all.isEmpty { return }
    for index in counterparts.indices where counterparts[index] >= 0 {
      let function = binary.code.functions[index]
      for reference in binary.code.references[function.first..<function.end]
      where reference.kind != .branch && binary.isInState(reference.target) { all[reference.target] = nil }
    }
    for entry in binary.relocations.entries {
      if let target = binary.stateTarget(of: entry) { all[target] = nil }
    }
    for name in binary.symbols.named { all[name.start] = nil }
  }
}
