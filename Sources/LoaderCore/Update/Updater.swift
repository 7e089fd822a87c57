import CKernel

/// Replaces objects whose files have changed. Lives on the helper thread, which never enters the program's code.
public final class Updater {
  let program: Program
  /// By id.
  private(set) var objects: [SharedObject] = []
  private var watched = 0
  var fixed: [FixedFile] = []
  let room = UpdateRoom()
  private let debugFiles: DebugFiles?
  /// Under the program's lock.
  var waiting: WaitingUpdate?
  /// No object is replaced for the time being (`luci pause`); files that changed meanwhile.
  var isPaused = false
  private var postponed: [SharedObject] = []
  /// See `withUnfinished`.
  var unfinished: [SharedObject] = []
  private(set) var desk: AskDesk?
  /// See `releaseBinaries`; CLOCK_MONOTONIC, nanoseconds.
  var releaseDue: UInt64?

  init(_ program: Program) {
    self.program = program
    debugFiles = DebugFiles(program.settings)
  }

  func binary(_ bytes: Bytes, like other: Binary? = nil) throws(ELFError) -> Binary {
    try Binary(bytes, debug: debugFiles?.symbols(for: bytes), like: other)
  }

  /// Objects of the program that are watched from now on; under the program's lock.
  func register(_ loaded: [LoadedObject]) {
    room.extend(for: loaded.filter { $0.role == .library && $0.fileContent != nil })
    let time = ClockTime.now()
    for object in loaded where object.role == .library && object.fileContent != nil && object.identity == nil {
      if let known = objects.first(where: { $0.isGone && $0.path == object.path }) {
        known.revive(object, at: time)
      } else {
        objects.append(SharedObject(id: objects.count, object, at: time))
      }
    }
  }

  /// The helper prepares an update without the program's lock: what it looks at must stay.
  private(set) var isBusy = false

  /// Their update was taken back, and is to be made anew. Under the program's lock.
  var returned: [SharedObject] = []

  func setBusy(_ isBusy: Bool) {
    program.lock.lock()
    self.isBusy = isBusy
    program.lock.unlock()
    program.gates.heapKeep(isBusy ? 1 : 0)
  }

  /// What objects used that are no longer in the process: what they made may have stayed.
  private(set) var usedByGone = UsedSymbols()

  /// Objects that dlclose takes out of the process; under the program's lock.
  func forget(_ gone: [LoadedObject]) {
    for object in gone {
      usedByGone.collect(from: object)
      object.identity?.forget()
    }
  }

  /// In a forked child, whose helper has to put up watches of its own.
  func forgetWatches() {
    // The copy may be half changed: left as it is.
    if let desk { _ = Unmanaged.passRetained(desk) }
    desk = nil
    dropForesight()
    isPaused = false
    watched = 0
    isBusy = false
    returned = []
    fixed = []
  }

  /// The helper's main loop. It ends where waiting fails, and where updates are left to `__luci_update`.
  func run(_ watcher: FileWatcher) {
    watchFixed(watcher)
    watcher.tellsCalm = true
    openDesk()
    watcher.alsoWaitsFor = desk?.channel.requests
    while true {
      program.lock.lock()
      if program.endsHelperIfAsked() { return program.lock.unlock() }
      let all = objects
      let returned = takeReturned()
      program.lock.unlock()
      if watched == 0 { tellIfNowhere(all) }
      while watched < all.count {
        watch(all[watched], watcher)
        watched += 1
      }
      update(takeChanged(returned), watcher)
      do throws(Errno) {
        let due = earliest(releaseBinaries(all), earliest(stepWaiting(), program.stale?.step(all)))
        let batch = try watcher.waitForBatch(until: due)
        for id in batch.unwatched where id < all.count {
          report(.notWatched, all[id], cause: "watch-lost", Text("its directory can't be watched any more"))
        }
        reportFixed(batch.changed)
        for id in batch.vanished where id < all.count { all[id].foresight = nil }
        desk?.serve()
        let calm = batch.calm.filter { $0 < all.count }.map { all[$0] }
        if !calm.isEmpty { foresee(calm) }
        let changed = takeChanged(batch.changed.filter { $0 < all.count }.map { all[$0] })
        update(changed, watcher)
        if !changed.isEmpty || !calm.isEmpty { releaseDue = ClockTime.monotonic() + Updater.releaseTime }
      } catch {
        var text = Text("no further updates: waiting for changes failed: ")
        text.append(error.text)
        return program.log.warning(text)
      }
    }
  }

  /// A process that was forked after chroot(2), or in another mount namespace.
  private func tellIfNowhere(_ all: [SharedObject]) {
    let used = all.filter { !$0.isGone }
    if !program.isForked || used.isEmpty || used.contains(where: { $0.fileStatus != nil }) { return }
    program.log.warning(
      "no library of the program is where it was loaded from (chroot?): no updates until one is there")
  }

  func earliest(_ a: UInt64?, _ b: UInt64?) -> UInt64? {
    guard let a, let b else { return a ?? b }
    return min(a, b)
  }

  /// Without it nobody can ask, and that is all.
  func openDesk() {
    if program.settings.answersControl { desk = try? AskDesk(self) }
  }

  /// What has changed now and while updates were paused.
  private func takeChanged(_ changed: [SharedObject]) -> [SharedObject] {
    let new = changed.filter { object in !postponed.contains { $0 === object } }
    postponed += new
    if isPaused {
      for shared in changed { shared.foresight = nil }
      for shared in new { report(.updatesDisabled, shared, cause: "paused") }
      return []
    }
    defer { postponed = [] }
    return postponed
  }

  private func watch(_ shared: SharedObject, _ watcher: FileWatcher) {
    do throws(Errno) {
      shared.isDoubted = shared.seen.isDoubtful
      try watcher.add(
        shared.path, id: shared.id, known: shared.current.status, isDoubtful: shared.seen.isDoubtful)
    } catch {
      report(.notWatched, shared, cause: "inotify", Text(error.text))
    }
  }

  /// Files that changed together become one update: what can be shown to be safe is committed at once.
  func update(_ changed: [SharedObject], _ watcher: FileWatcher?) {
    if changed.isEmpty { return }
    program.updateLock.lock()
    defer { program.updateLock.unlock() }
    if program.usesUpdatePoint { return }
    setBusy(true)
    defer { setBusy(false) }
    let changed = changed.filter { !$0.isGone }
    do throws(Errno) { try Credentials.followProgram() } catch {
      for shared in changed { report(.incompatible, shared, cause: "credentials", Text(error.text)) }
      return
    }
    apply(prepareAll(changed, watcher))
  }

  /// Binds and commits what was prepared, or puts gates up for it.
  func apply(_ candidates: [NewVersion]) {
    if candidates.isEmpty { return }
    program.lock.lock()
    defer { program.lock.unlock() }
    let candidates = waitIfNeeded(withObjectsInUse(candidates))
    if candidates.isEmpty { return }
    if candidates.contains(where: { $0.needsProgramThread }) || program.hasHooks { return gate(candidates) }
    let (ready, gated) = bind(candidates)
    if !gated.isEmpty { return gate(gated) }
    if ready.isEmpty { return }
    program.commit(ready)
    reportUpdated(ready)
  }

  /// The whole batch waits for a program thread.
  private func gate(_ candidates: [NewVersion]) {
    let isConfined = program.isConfined || !ForeignMemory.canBeRead
    if !isConfined, program.gate(candidates) { return }
    for candidate in candidates {
      report(
        .incompatible, candidate.shared, cause: "program-thread-needed",
        Text(
          isConfined
            ? "it needs work on a thread of the program, which is confined"
            : "it needs work on a thread of the program, and none calls it through a slot"))
      candidate.discard(room)
    }
  }

  /// Relocates the candidates against each other. One that fails is taken out, and the others, which may have
  /// been bound to it, are mapped anew without it.
  func bind(_ candidates: [NewVersion], mayCall: Bool = false) -> (ready: [NewVersion], gated: [NewVersion]) {
    var remaining = candidates
    while !remaining.isEmpty {
      let context = UpdateContext(program, remaining.map { ($0.old, $0.object) }, mayCall: mayCall)
      var failed: Int?
      var isGate = false
      for (index, candidate) in remaining.enumerated() {
        do throws(UpdateFailure) {
          try checkVersions(of: candidate, remaining)
          try candidate.bind(context)
        } catch {
          isGate = error.isGate
          if !isGate { refuse(candidate.shared, error) }
          failed = index
          break
        }
      }
      guard let failed else { return (remaining, []) }
      if isGate { return ([], remapAll(remaining)) }
      let refused = remaining.remove(at: failed)
      refused.discard(room)
      remaining = remapAll(keepWhole(remaining, without: [refused.shared]))
    }
    return ([], [])
  }

  func checkVersions(of candidate: NewVersion, _ all: [NewVersion]) throws(UpdateFailure) {
    do throws(LoadError) {
      try program.checkVersions(of: [candidate.object], replacing: all.map { ($0.old, $0.object) })
    } catch {
      throw UpdateFailure(error)
    }
  }
}
