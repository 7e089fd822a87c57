/// Whether anything can have made the objects that a layout risk is about.
extension Updater {
  /// Nothing in the process calls, or ever called as far as is known, an export by which such objects are made. What
  /// needs work on a thread of the program is committed later, when somebody may; then this counts for nothing. Under
  /// the lock.
  func hasNoObjects(_ verdict: Verdict, of shared: SharedObject) -> Bool {
    guard !verdict.risks.isEmpty, let makers = verdict.makers else { return false }
    let used = UsedSymbols(program, of: shared)
    return !makers.contains {
      used.contains($0.name, $0.version) || usedByGone.contains($0.name, $0.version)
        || program.entryStubs.wasHandedOut($0.name)
    }
  }

  /// Looks again, under the lock that is held until they are committed, whether there can be objects of old layouts.
  func withObjectsInUse(_ candidates: [NewVersion]) -> [NewVersion] {
    let isLater = program.hasHooks || candidates.contains { $0.needsProgramThread }
    let judged = candidates.map { candidate in
      var candidate = candidate
      candidate.hasNoObjects = !isLater && hasNoObjects(candidate.verdict, of: candidate.shared)
      return candidate
    }
    guard program.settings.refusesLayoutRisks, judged.contains(where: { $0.hasLayoutRisk }) else { return judged }
    for candidate in judged where candidate.hasLayoutRisk {
      refuse(candidate.shared, .layoutRisk(candidate.verdict))
      candidate.discard(room)
    }
    return keepWhole(
      judged.filter { !$0.hasLayoutRisk }, without: judged.filter { $0.hasLayoutRisk }.map { $0.shared })
  }
}

extension UpdateFailure {
  static func layoutRisk(_ verdict: Verdict) -> UpdateFailure {
    var detail = Text()
    detail.appendRisks(verdict)
    return UpdateFailure(.incompatible, "layout-risk", detail)
  }
}
