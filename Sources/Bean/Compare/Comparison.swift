/// The comparison of two versions in progress: what is found is collected, each concern in a file of its own.
final class Comparison {
  let old: Binary
  let new: Binary
  var matches: FunctionMatch
  var mapping: StateMapping = .empty
  /// The old version has no state at all, the new one brings its own.
  var newOwnsState = false
  /// Fields that look like references to state, and are data.
  var refuted: Set<UInt64> = []
  /// Searches through a whole section that may still be made.
  var searchBudget = 64
  /// How far from where it was expected something was found: nowhere else, and what the last of these searches tell.
  private(set) var shifts: [UInt64] = [0]
  /// Homes are found variable by variable, since sections differ.
  var isByVariable = false
  /// What became of each variable; empty where sections are shared as a whole.
  var variables: [VariablePair] = []
  /// Words of state that get the new version's initial value where the program has not changed them.
  var pointers: [InitialPointer] = []
  var reasons: [Refusal] = []
  var missingExports: [MissingExport] = []
  /// Reasons found, of which only the first `maximumReasons` are kept.
  var reasonCount = 0
  /// One bit for each kind of reason that was found.
  var reasonKinds: UInt32 = 0

  static var maximumReasons: Int { 64 }

  init(_ old: Binary, _ new: Binary) {
    self.old = old
    self.new = new
    matches = FunctionMatcher(old, new).match
  }

  /// With what is known already.
  init(_ old: Binary, _ new: Binary, _ matches: FunctionMatch, _ mapping: StateMapping) {
    self.old = old
    self.new = new
    self.matches = matches
    self.mapping = mapping
  }

  func note(shift: UInt64) {
    if shifts.count > 8 { shifts.remove(at: 1) }
    shifts.append(shift)
  }

  func refuse(_ refusal: Refusal) {
    reasonCount += 1
    reasonKinds |= 1 << UInt32(refusal.kind.rawValue)
    if reasons.count < Comparison.maximumReasons { reasons.append(refusal) }
  }

  /// Puts reasons that another comparison of the same versions found in front of its own, but for those that it has
  /// as well.
  func put(_ earlier: Comparison) {
    let missing = earlier.reasons.filter { (reason) in
      !reasons.contains { $0.kind == reason.kind && $0.new?.address == reason.new?.address }
    }
    reasons = Array((missing.prefix(Comparison.maximumReasons / 2) + reasons).prefix(Comparison.maximumReasons))
    reasonKinds |= earlier.reasonKinds
    reasonCount += missing.count + (earlier.reasonCount - earlier.reasons.count)
  }

  /// Do an old and a new code address mean the same: the same offset in matched functions, if it is not their
  /// start, in functions that are equal?
  func isSameCode(old oldAddress: UInt64, new newAddress: UInt64) -> Bool {
    guard let newIndex = new.code.index(containing: newAddress),
      let oldIndex = old.code.index(containing: oldAddress)
    else { return false }
    let offset = newAddress &- new.code.functions[newIndex].range.start
    guard offset == oldAddress &- old.code.functions[oldIndex].range.start else { return false }
    if matches.oldOfNew[newIndex] == Int32(truncatingIfNeeded: oldIndex) {
      return offset == 0 || matches.isEqual[newIndex]
    }
    return false
  }
}

/// An export of the old version that the new one does not serve.
public struct MissingExport {
  public enum Kind: UInt8, Equatable, Sendable { case absent, otherType, otherSize }
  public let name: Bytes
  public let version: Bytes
  public let kind: Kind
}
