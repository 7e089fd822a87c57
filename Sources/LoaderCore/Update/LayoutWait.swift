import CKernel

/// The helper's side of updates that wait (`WaitingUpdate`).
extension Updater {
  /// What of a batch goes on at once. Under the lock.
  func waitIfNeeded(_ candidates: [NewVersion]) -> [NewVersion] {
    guard program.settings.waitsForLayouts, candidates.contains(where: { $0.hasLayoutRisk }) else {
      return candidates
    }
    let (risky, free) = splitByRisk(candidates)
    if program.hasKnownHeap, let update = WaitingUpdate(risky, hold: program.settings.layoutHold) {
      update.objects.mapsSmall = program.mayMapSmall
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
    if ClockTime.monotonic() < update.due { return update.due }
    let begin = ClockTime.spent()
    let found = look(update)
    guard waiting === update else { return nil }
    if program.gatedUpdate?.waiting === update {
      if found.isEmpty, update.isBound { program.finishGatedUpdate(frame: nil) }
    } else if program.gatedUpdate == nil, update.mayAttempt {
      // What waits for a program thread comes first: the next call makes it.
      attempt(update, found)
    }
    guard waiting === update else { return nil }
    let cost = ClockTime.spent() - begin
    update.postpone(cost: cost)
    log(update, cost)
    holdThreads(update)
    tell(update)
    return update.due
  }

  private func log(_ update: WaitingUpdate, _ cost: UInt64) {
    guard program.log.allows(.debug) else { return }
    var text = Text("an update waits for ")
    text.append(update.reason.bytes)
    text.append("; a look took ")
    text.append(decimal: cost / 1000)
    text.append(" us")
    program.log.debug(text)
  }

  /// Looks for live objects while the program goes on.
  private func look(_ update: WaitingUpdate) -> [UInt64] {
    // Threads that come to gates use the other copy.
    var objects = update.objects
    program.lock.unlock()
    var found: [UInt64] = []
    var obstacle: WaitingUpdate.Obstacle? = .notToBeSeen
    if let maps = try? FreeSpace.read() {
      obstacle = program.look(for: &objects, maps, limit: WaitingUpdate.countLimit, &found)
    }
    program.lock.lock()
    update.objects = objects
    update.note(obstacle ?? .threads, isWhole: true)
    return found
  }

  /// Where somebody always has an object of the old layout, nobody makes another one for a while.
  private func holdThreads(_ update: WaitingUpdate) {
    guard program.gatedUpdate?.waiting === update, let time = update.takeHold() else { return }
    // Whoever is alone frees what he has himself.
    guard let threads = try? ThreadList.read(), threads.filter({ $0 != program.helperThread }).count > 1,
      let maps = try? FreeSpace.read()
    else { return }
    program.beginHold(time, maps)
  }

  /// Binds to the program as it is now, and puts up the gates. The moment may be there at once, if nothing was found
  /// and all threads wait for something; else one that comes through a gate may find it.
  private func attempt(_ update: WaitingUpdate, _ found: [UInt64], frame: UInt64? = nil) {
    // The program may have opened or closed objects since they were bound.
    if update.isBound { update.versions = remapAll(update.versions) }
    let needsProgramThread = program.hasHooks || update.versions.contains { $0.needsProgramThread }
    let (ready, gated) = needsProgramThread ? ([], update.versions) : bind(update.versions)
    update.isBound = gated.isEmpty
    update.versions = ready + gated
    update.watch.begin(found)
    guard !update.versions.isEmpty, program.gate(update.versions, update) else {
      for version in update.versions { version.discard(room) }
      waiting = nil
      return
    }
    if found.isEmpty, update.isBound || frame != nil { program.finishGatedUpdate(frame: frame) }
  }

  /// `__luci_update` on a thread whose frames begin at `frame`: now or at the next call. Under the lock, which is held
  /// once. True: it was made.
  func stepWaiting(frame: UInt64) -> Bool {
    guard let update = waiting else { return false }
    let found = look(update)
    if found.isEmpty, waiting === update, program.gatedUpdate == nil, update.mayAttempt {
      attempt(update, found, frame: frame)
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
