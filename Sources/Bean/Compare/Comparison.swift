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

  func refuse(_ refusal: Refusal) {
    reasonCount += 1
    reasonKinds |= 1 << UInt32(refusal.kind.rawValue)
    if reasons.count < Comparison.maximumReasons { reasons.append(refusal) }
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
