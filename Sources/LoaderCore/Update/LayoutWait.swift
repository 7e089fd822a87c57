import CKernel

/// The helper's side of updates that wait (`WaitingUpdate`).
extension Updater {
  /// What of a batch goes on at once. Under the lock.
  func waitIfNeeded(_ candidates: [NewVersion]) -> [NewVersion] {
    guard program.settings.waitsForLayouts, candidates.contains(where: { !$0.verdict.risks.isEmpty }) else {
      return candidates
    }
    let candidates = candidates.map { candidate in
      var candidate = candidate
      candidate.hasNoObjects = candidate.hasNoObjects && !usesMakers(candidate)
      return candidate
    }
    let (risky, free) = splitByRisk(candidates)
    if risky.isEmpty { return candidates }
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

  /// Whether the program uses by now what was not in use when the verdict was given.
  private func usesMakers(_ candidate: NewVersion) -> Bool {
    let used = UsedSymbols(program, of: candidate.shared)
    return candidate.verdict.unusedMakers.contains {
      used.contains($0.name, $0.version) || usedByGone.contains($0.name, $0.version)
    }
  }

  /// Does what is due. Returns when there is more to do; nil: nothing waits.
  func stepWaiting() -> UInt64? {
    program.lock.lock()
    defer { program.lock.unlock() }
    guard let update = waiting else { return nil }
    let begin = ClockTime.spent()
    if ClockTime.monotonic() < update.due { return update.due }
    let isFree = look(update)
    guard waiting === update else { return nil }
    if program.gatedUpdate?.waiting === update {
      if isFree, update.isBound { program.finishGatedUpdate(frame: nil) }
      guard waiting === update else { return nil }
      if ClockTime.monotonic() < update.gatesEnd {
        update.keepGates()
      } else {
        // Nobody who came through a gate found the moment.
        program.standDown()
        update.takeGates()
        update.postpone()
      }
    } else if isFree || update.obstacle != .notToBeSeen && update.mayComeAndGo {
      attempt(update, isFree: isFree)
      update.cost = ClockTime.spent() - begin
    } else {
      update.postpone()
    }
    guard waiting === update else { return nil }
    tell(update)
    return update.due
  }

  /// Looks for live objects while the program goes on, to tell what is waited for. True: there are none.
  private func look(_ update: WaitingUpdate) -> Bool {
    let begin = ClockTime.spent()
    program.lock.unlock()
    var obstacle: WaitingUpdate.Obstacle? = .notToBeSeen
    if let maps = try? FreeSpace.read() {
      obstacle = program.objects(update, maps, limit: WaitingUpdate.countLimit)
    }
    program.lock.lock()
    update.cost = ClockTime.spent() - begin
    if let obstacle { update.obstacle = obstacle }
    return obstacle == nil
  }

  /// Binds to the program as it is now, and puts up the gates. The moment may be there at once, if all threads wait
  /// for something and no object lives (`isFree`); else one that comes through a gate may find it.
  private func attempt(_ update: WaitingUpdate, isFree: Bool, frame: UInt64? = nil) {
    // The program may have opened or closed objects since they were bound.
    if update.isBound { update.versions = remapAll(update.versions) }
    let needsProgramThread = program.hasHooks || update.versions.contains { $0.needsProgramThread }
    let (ready, gated) = needsProgramThread ? ([], update.versions) : bind(update.versions)
    update.isBound = gated.isEmpty
    update.versions = ready + gated
    program.pace.startAnew(witness: isFree ? 0 : update.witness, cost: update.cost)
    guard !update.versions.isEmpty, program.gate(update.versions, update) else {
      for version in update.versions { version.discard(room) }
      waiting = nil
      return
    }
    update.takeGates()
    update.keepGates()
    if isFree, update.isBound || frame != nil { program.finishGatedUpdate(frame: frame) }
  }

  /// `__luci_update` on a thread whose frames begin at `frame`: now or at the next call. Under the lock, which is held
  /// once. True: it was made.
  func stepWaiting(frame: UInt64) -> Bool {
    guard let update = waiting else { return false }
    if look(update), waiting === update {
      attempt(update, isFree: true, frame: frame)
      if program.gatedUpdate?.waiting === update {
        program.standDown()
        update.takeGates()
      }
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
      case .objects:
        detail.append("such objects are alive, and it waits until there are none: ")
        detail.append(update.reason.bytes)
      case .threads: detail.append("threads are at work whenever it is looked, and it waits until they rest")
      case .notToBeSeen: detail.append("whether any is alive can't be seen here")
      }
      refuse(version.shared, UpdateFailure(.incompatible, "layout-risk", detail))
    }
  }
}
