import CKernel

/// An update that needs a program thread: it brings libraries whose constructors must run, or functions that ifunc
/// resolvers choose. Everything else is prepared; calls into the old version lead to gates, and the first one that
/// comes through does the work, while others go on with the old code (DESIGN, section 4).
final class GatedUpdate {
  struct Gate {
    let index: UInt64
    let slot: UInt64
    let old: UInt64
    let new: UInt64
    /// A word of state, which the program may write to at any time.
    var isState = false
    /// The object that the slot is protected in.
    let owner: LoadedObject?
  }

  let versions: [NewVersion]
  private(set) var gates: [Gate]
  /// It can't be taken back any more.
  fileprivate(set) var isBeingMade = false
  /// It waits for a moment when no object of the old layout lives.
  let waiting: WaitingUpdate?

  init(_ versions: [NewVersion], _ gates: [Gate], _ waiting: WaitingUpdate?) {
    (self.versions, self.gates, self.waiting) = (versions, gates, waiting)
  }

  /// Slots of objects that leave the process.
  func forget(_ objects: [LoadedObject]) {
    gates.removeAll { gate in objects.contains { $0.memoryRange.contains(gate.slot) } }
  }
}

extension Program {
  /// Puts up the gates; on the helper thread, under the lock. False: nobody can come through.
  func gate(_ versions: [NewVersion], _ waiting: WaitingUpdate? = nil) -> Bool {
    prepareForSignals()
    let changes = SlotWrites(self, versions)
    var chosen = changes.writes.filter { $0.isCall }
    if chosen.isEmpty { chosen = changes.writes.filter { $0.isSymbolic } }
    // Nobody may come in unseen, be it through a table of functions.
    if waiting != nil { chosen = changes.writes.filter { $0.isFunction } }
    let entry = self.gates.gateEntry()
    var gates: [GatedUpdate.Gate] = []
    for write in chosen {
      guard let index = gateStubs.open(write.slot, write.old, gate: entry) else { return false }
      // Who has read a pointer that becomes null is on its way to the old function.
      let new = write.value == 0 ? write.old : write.value
      gates.append(
        .init(
          index: index, slot: write.slot, old: write.old, new: new, isState: write.isState, owner: write.owner))
    }
    for (slot, old, new) in versions.flatMap({ entryStubs.words(of: $0) }) {
      guard let index = gateStubs.open(slot, old, gate: entry) else { return false }
      gates.append(.init(index: index, slot: slot, old: old, new: new, owner: nil))
    }
    guard !gates.isEmpty || waiting != nil else { return false }
    gatedUpdate = GatedUpdate(versions, gates, waiting)
    gateWaits = versions.contains { $0.isMigrated }
    setSlots(gates, isUp: true)
    return true
  }

  /// Takes the gates away: calls go on with the old code, and the update may be tried again.
  func standDown() {
    guard let pending = gatedUpdate, !pending.isBeingMade else { return }
    gatedUpdate = nil
    gateWaits = false
    setSlots(pending.gates, isUp: false)
    hold.release()
    for gate in pending.gates { gateStubs.decide(gate.index, gate.old) }
  }

  /// Gives it up: a newer file has come, or the work failed.
  func withdrawGate() {
    guard let pending = gatedUpdate else { return }
    standDown()
    if let room = updater?.room {
      for version in pending.versions { version.discard(room) }
    }
  }

  /// To the gates, or back to the old functions.
  private func setSlots(_ gates: [GatedUpdate.Gate], isUp: Bool) {
    var owners: [LoadedObject] = []
    for gate in gates {
      guard let owner = gate.owner, !owners.contains(where: { $0 === owner }) else { continue }
      owners.append(owner)
    }
    for owner in owners { setRELROWritable(owner, true) }
    for gate in gates {
      let entry = gateStubs.entry(gate.index)
      let after = isUp ? entry : gate.old
      if gate.isState {
        let held = ProcessMemory.loadAtomically(at: gate.slot)
        if gateStubs.target(of: held) == gate.old { ProcessMemory.exchange(held, by: after, at: gate.slot) }
      } else {
        ProcessMemory.storeAtomically(after, at: gate.slot)
      }
    }
    for owner in owners { setRELROWritable(owner, false) }
  }

  /// On a program thread that called a gated function. Does the work if nobody does, and tells where to go on.
  public func passGate(_ index: UInt64, frame: UInt64) -> UInt64 {
    if hold.isOn { waitAtGate(index, frame: frame) }
    guard gatedUpdate != nil, takeLockForGate(frame) else { return gateStubs.decision(index) }
    keepingErrno { finishGatedUpdate(frame: frame) }
    lock.unlock()
    return gateStubs.decision(index)
  }

  /// What the body calls of the program's may set errno, which a call of some function must not.
  func keepingErrno(_ body: () -> Void) {
    let errorNumber = host.errorNumber == 0 ? 0 : ForeignCall.word(host.errorNumber)
    let saved = errorNumber == 0 ? 0 : ProcessMemory.load(Int32.self, at: errorNumber)
    body()
    if errorNumber != 0 { ProcessMemory.store(saved, at: errorNumber) }
  }

  /// Whoever holds the lock may be at this very work, or in a constructor that takes long: old code meanwhile, unless
  /// nobody may enter it now. So in a signal handler, since what it interrupted may be the C library's allocator.
  private func takeLockForGate(_ frame: UInt64) -> Bool {
    if lock.tryLock() {
      if !lock.isNested, isWorthALook(), !SignalFrame.mayBeAbove(frame, of: self) { return true }
      lock.unlock()
      return false
    }
    // Nor may anybody enter code whose state is being handed over.
    guard isJudging || gateWaits, !SignalFrame.mayBeAbove(frame, of: self) else { return false }
    lock.lock()
    return true
  }

  /// An update that waits for its moment would be looked at in vain by most calls.
  private func isWorthALook() -> Bool {
    guard let pending = gatedUpdate else { return false }
    guard let waiting = pending.waiting else { return true }
    return waiting.watch.pass(waiting.objects) || waiting.watch.isWeary && !hold.isOn
  }

  /// Under the lock. `frame`: where the calling program thread's frames begin; nil: on the helper.
  func finishGatedUpdate(frame: UInt64?) {
    guard let pending = gatedUpdate, !pending.isBeingMade, let updater else { return }
    // The helper calls nothing of the program's.
    if frame == nil, hasHooks || pending.versions.contains(where: { $0.needsProgramThread }) { return }
    do throws(UpdateFailure) {
      if pending.waiting?.isBound != true { try bindGated(pending.versions, updater) }
    } catch {
      for version in pending.versions {
        updater.refuse(version.shared, error)
      }
      if pending.waiting != nil { updater.waiting = nil }
      withdrawGate()
      return
    }
    pending.waiting?.isBound = true
    // Libraries that were brought in have slots without gates: the next time, when they are there.
    if pending.waiting != nil, gatedUpdate !== pending { return }
    defer { isJudging = false }
    if let waiting = pending.waiting, !isMoment(waiting, frame) { return }
    // Gates are up until their slots lead to the new version: nobody enters the old one in between.
    pending.isBeingMade = true
    finish(pending.versions)
    for gate in pending.gates { gateStubs.decide(gate.index, gate.new) }
    gatedUpdate = nil
    gateWaits = false
    hold.release()
    if pending.waiting != nil { updater.waiting = nil }
    updater.reportUpdated(pending.versions, isQuiet: pending.waiting != nil)
  }

  private func isMoment(_ waiting: WaitingUpdate, _ frame: UInt64?) -> Bool {
    if waiting.watch.isWeary, !hold.isOn {
      standDown()
      waiting.rest()
      return false
    }
    let begin = ClockTime.spent()
    var found: [UInt64] = []
    guard let obstacle = isQuiet(waiting, frame: frame, &found) else { return true }
    waiting.note(obstacle, isWhole: false)
    waiting.watch.pause(cost: ClockTime.spent() - begin, found)
    return false
  }

  private func bindGated(_ versions: [NewVersion], _ updater: Updater) throws(UpdateFailure) {
    for version in versions { try loadNeeds(of: version) }
    let context = UpdateContext(self, versions.map { ($0.old, $0.object) }, mayCall: true)
    for version in versions {
      try updater.checkVersions(of: version, versions)
      try version.bind(context)
    }
  }

  /// Libraries that a newer version needs and its predecessor did not: as dlopen brings them in.
  func loadNeeds(of version: NewVersion) throws(UpdateFailure) {
    do throws(LoadError) {
      var dependencies: [LoadedObject] = []
      for name in try version.object.needed() {
        if let known = graph.object(named: name) {
          dependencies.append(known)
        } else if !isLoaded(name) {
          if let added = try bringIn(name, for: version.object, isGlobal: scope.contains(version.old)) {
            dependencies.append(added)
          }
        }
      }
      version.object.dependencies = dependencies
    } catch {
      throw UpdateFailure(error)
    }
  }
}
