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
    /// The object that the slot is protected in.
    let owner: LoadedObject?
  }

  let versions: [NewVersion]
  let gates: [Gate]

  init(_ versions: [NewVersion], _ gates: [Gate]) {
    self.versions = versions
    self.gates = gates
  }
}

extension Program {
  /// Puts up the gates; on the helper thread, under the lock. False: nobody can come through.
  func gate(_ versions: [NewVersion]) -> Bool {
    let changes = SlotWrites(self, versions)
    var chosen = changes.writes.filter { $0.isCall }
    if chosen.isEmpty { chosen = changes.writes.filter { $0.isSymbolic } }
    var gates: [GatedUpdate.Gate] = []
    let entry = self.gates.gateEntry()
    for write in chosen {
      guard let index = gateStubs.make(for: write.old, gate: entry) else { return false }
      gates.append(.init(index: index, slot: write.slot, old: write.old, new: write.value, owner: write.owner))
    }
    for (slot, old, new) in versions.flatMap({ entryStubs.words(of: $0) }) {
      guard let index = gateStubs.make(for: old, gate: entry) else { return false }
      gates.append(.init(index: index, slot: slot, old: old, new: new, owner: nil))
    }
    guard !gates.isEmpty else { return false }
    gatedUpdate = GatedUpdate(versions, gates)
    setSlots(gates) { gateStubs.entry($0.index) }
    return true
  }

  /// Takes the gates away: a newer file has come, or the work failed. Calls go on with the old code.
  func withdrawGate() {
    guard let pending = gatedUpdate else { return }
    gatedUpdate = nil
    setSlots(pending.gates) { $0.old }
    for gate in pending.gates { gateStubs.decide(gate.index, gate.old) }
    if let room = updater?.room {
      for version in pending.versions { version.discard(room) }
    }
  }

  private func setSlots(_ gates: [GatedUpdate.Gate], _ value: (GatedUpdate.Gate) -> UInt64) {
    var owners: [LoadedObject] = []
    for gate in gates {
      guard let owner = gate.owner, !owners.contains(where: { $0 === owner }) else { continue }
      owners.append(owner)
    }
    for owner in owners { setRELROWritable(owner, true) }
    for gate in gates { ProcessMemory.storeAtomically(value(gate), at: gate.slot) }
    for owner in owners { setRELROWritable(owner, false) }
  }

  /// On a program thread that called a gated function. Does the work if nobody does, and tells where to go on.
  public func passGate(_ index: UInt64, frame: UInt64) -> UInt64 {
    // Whoever holds the lock may be at this very work, or in a constructor that takes long: old code meanwhile. So
    // in a signal handler, since what it interrupted may be the C library's allocator.
    guard gatedUpdate != nil, !SignalFrame.mayBeAbove(frame, of: self), lock.tryLock() else {
      return gateStubs.decision(index)
    }
    if lock.isNested {
      lock.unlock()
      return gateStubs.decision(index)
    }
    let errorNumber = host.errorNumber == 0 ? 0 : ForeignCall.word(host.errorNumber)
    let saved = errorNumber == 0 ? 0 : ProcessMemory.load(Int32.self, at: errorNumber)
    finishGatedUpdate()
    if errorNumber != 0 { ProcessMemory.store(saved, at: errorNumber) }
    lock.unlock()
    return gateStubs.decision(index)
  }

  private func finishGatedUpdate() {
    guard let pending = gatedUpdate, let updater else { return }
    do throws(UpdateFailure) {
      for version in pending.versions { try loadNeeds(of: version) }
      let context = UpdateContext(self, pending.versions.map { ($0.old, $0.object) }, mayCall: true)
      for version in pending.versions {
        try updater.checkVersions(of: version, pending.versions)
        try version.bind(context)
      }
    } catch {
      for version in pending.versions {
        updater.refuse(version.shared, error)
      }
      withdrawGate()
      return
    }
    gatedUpdate = nil
    // The slots hold gates at the moment: the old values tell what has to change.
    setSlots(pending.gates) { $0.old }
    commit(pending.versions)
    for gate in pending.gates { gateStubs.decide(gate.index, gate.new) }
    updater.reportUpdated(pending.versions)
  }

  /// Libraries that a newer version needs and its predecessor did not: as dlopen brings them in.
  private func loadNeeds(of version: NewVersion) throws(UpdateFailure) {
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
