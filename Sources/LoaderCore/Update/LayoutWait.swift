import CKernel

/// The helper's side of updates that wait (`WaitingUpdate`).
extension Updater {
  /// What of a batch goes on at once. Under the lock.
  func waitIfNeeded(_ candidates: [NewVersion]) -> [NewVersion] {
    guard program.settings.waitsForLayouts, candidates.contains(where: { $0.hasLayoutRisk }) else {
      return candidates
    }
    let (risky, free) = splitByRisk(candidates)
    if program.hasKnownHeap, let update = WaitingUpdate(risky) {
      waiting = update
      return free
    }
    for candidate in risky where candidate.hasLayoutRisk {
      var detail = Text()
      detail.appendRisks(candidate.verdict)
      detail.append("; whether any is alive can't be seen here")
      refuse(candidate.shared, UpdateFailure(.incompatible, "layout-risk", detail))
      candidate.discard(room)
    }
    let others = risky.filter { !$0.hasLayoutRisk }
    return free + keepWhole(others, without: risky.filter { $0.hasLayoutRisk }.map { $0.shared })
  }

  /// Does what is due. Returns when there is more to do; nil: nothing waits.
  func stepWaiting() -> UInt64? {
    program.lock.lock()
    defer { program.lock.unlock() }
    guard let update = waiting else { return nil }
    let begin = ClockTime.monotonic()
    if begin < update.due { return update.due }
    if program.gatedUpdate?.waiting === update {
      // Nobody who came through a gate found the moment.
      program.standDown()
      update.postpone(cost: 0)
    } else if mayBeQuiet(update) {
      attempt(update)
    } else {
      update.postpone(cost: ClockTime.monotonic() - begin)
    }
    guard waiting === update else { return nil }
    tell(update)
    return update.due
  }

  /// Looks for live objects while the program goes on; only then is it worth while to put up gates.
  private func mayBeQuiet(_ update: WaitingUpdate) -> Bool {
    program.lock.unlock()
    defer { program.lock.lock() }
    guard let maps = try? FreeSpace.read(), let isFree = program.isFree(update, maps) else {
      update.obstacle = .notToBeSeen
      return false
    }
    if !isFree { update.obstacle = .objects }
    return isFree
  }

  /// Binds to the program as it is now, and puts up the gates. The moment may be there at once, if all threads wait
  /// for something; else one that comes through a gate may find it.
  private func attempt(_ update: WaitingUpdate, frame: UInt64? = nil) {
    // The program may have opened or closed objects since they were bound.
    if update.isBound { update.versions = remapAll(update.versions) }
    let needsProgramThread = program.hasHooks || update.versions.contains { $0.needsProgramThread }
    let (ready, gated) = needsProgramThread ? ([], update.versions) : bind(update.versions)
    update.isBound = gated.isEmpty
    update.versions = ready + gated
    program.nextLook = 0
    guard !update.versions.isEmpty, program.gate(update.versions, update) else {
      for version in update.versions { version.discard(room) }
      waiting = nil
      return
    }
    update.due = ClockTime.monotonic() + WaitingUpdate.attempt
    if update.isBound || frame != nil { program.finishGatedUpdate(frame: frame) }
  }

  /// `__luci_update` on a thread whose frames begin at `frame`: now or at the next call. Under the lock, which is held
  /// once. True: it was made.
  func stepWaiting(frame: UInt64) -> Bool {
    guard let update = waiting else { return false }
    if mayBeQuiet(update) {
      attempt(update, frame: frame)
      if program.gatedUpdate?.waiting === update { program.standDown() }
    }
    guard waiting === update else {
      return update.versions.contains { $0.shared.current === $0.object }
    }
    tell(update)
    return false
  }

  /// One line, when it takes long.
  private func tell(_ update: WaitingUpdate) {
    guard !update.isTold, ClockTime.monotonic() > update.since + WaitingUpdate.patience else { return }
    update.isTold = true
    for version in update.versions {
      var detail = Text()
      detail.appendRisks(version.verdict)
      if !version.verdict.risks.isEmpty { detail.append("; ") }
      switch update.obstacle {
      case .objects: detail.append("such objects are alive, and it waits until there are none")
      case .threads: detail.append("threads are at work whenever it is looked, and it waits until they rest")
      case .notToBeSeen: detail.append("whether any is alive can't be seen here")
      }
      refuse(version.shared, UpdateFailure(.incompatible, "layout-risk", detail))
    }
  }
}
