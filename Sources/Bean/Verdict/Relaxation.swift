/// LD_RELAX_CHECK: reasons that somebody who knows the library does not want to count.
extension Verdict {
  /// 1: init functions differ, 2: also initial content of state, 3: also which variables code refers to. Sizes, exports,
  /// thread-local variables and the proof that every reference was found always count.
  public func isAccepted(relaxation level: UInt64) -> Bool {
    if accepted { return true }
    var kinds: [Refusal.Kind] = []
    if level >= 1 { kinds.append(.constructorChanged) }
    if level >= 2 { kinds.append(.stateContent) }
    if level >= 3 { kinds += [.variableMoved, .codeDisagrees] }
    return Refusal.isOnly(reasonKinds, of: kinds)
  }
}

extension Refusal {
  /// Whether a set of kinds, one bit for each, has none but these.
  static func isOnly(_ set: UInt32, of kinds: [Kind]) -> Bool { set & ~self.set(of: kinds) == 0 }

  static func set(of kinds: [Kind]) -> UInt32 { kinds.reduce(0) { $0 | 1 << UInt32($1.rawValue) } }
}
