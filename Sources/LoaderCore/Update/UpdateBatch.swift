/// Files that changed together become one update: objects of which one needs the other go over together, or none of
/// them does. A package's libraries rely on each other in ways that neither symbols nor versions show.
extension Updater {
  /// Files of `changed` that can be taken, and with them those that had to wait for one of these.
  func prepareAll(_ changed: [SharedObject], _ watcher: FileWatcher?) -> [NewVersion] {
    var candidates: [NewVersion] = []
    var refused: [SharedObject] = []
    for shared in withUnfinished(withdrawPending(changed)) {
      do throws(UpdateFailure) {
        switch try prepare(shared, watcher) {
        case .candidate(let candidate): candidates.append(candidate)
        case .unchanged: break
        case .unsettled: refused.append(shared)
        }
      } catch {
        refuse(shared, error)
        if error.isAboutAccess { watcher?.heedAttributes(id: shared.id) }
        refused.append(shared)
      }
    }
    return keepWhole(candidates, without: refused)
  }

  /// What waits for its moment, and what waits for a program thread: of one batch, both may be there.
  var pendingVersions: [NewVersion] {
    let gated = program.gatedUpdate
    return (waiting?.versions ?? []) + (gated?.waiting == nil ? gated?.versions ?? [] : [])
  }

  /// An update that still waits for a program thread is taken back, and its objects come into this one.
  func withdrawPending(_ changed: [SharedObject]) -> [SharedObject] {
    program.lock.lock()
    defer { program.lock.unlock() }
    let versions = pendingVersions
    if versions.isEmpty { return changed }
    program.standDown()
    waiting = nil
    for version in versions { version.discard(room) }
    return changed + versions.map { $0.shared }.filter { shared in !changed.contains { $0 === shared } }
  }

  /// Objects leave the process, and with them what waits for them: the others of that update are to be looked at again.
  /// Any other update may be bound to what leaves. Under the lock.
  func withdrawPending(closing gone: [LoadedObject]) {
    if program.gatedUpdate?.isBeingMade == true { return }
    if program.gatedUpdate?.waiting != nil { program.standDown() }
    let versions = pendingVersions
    guard versions.contains(where: { version in gone.contains { $0 === version.old } }) else { return }
    program.standDown()
    waiting = nil
    for version in versions {
      version.discard(room)
      guard !gone.contains(where: { $0 === version.old }) else { continue }
      returned.append(version.shared)
      // For those who look at the files themselves.
      version.shared.seen = SeenFile()
    }
    if !returned.isEmpty, program.helperThread != 0 { try? ThreadWake.wake(thread: program.helperThread) }
  }

  /// Under the lock.
  func takeReturned() -> [SharedObject] {
    defer { returned = [] }
    return returned.filter { !$0.isGone }
  }

  /// Objects that could not go over because of others, and these: a new file of one of them is a chance for all.
  private func withUnfinished(_ changed: [SharedObject]) -> [SharedObject] {
    guard changed.contains(where: { isUnfinished($0) }) else { return changed }
    defer { unfinished = [] }
    return changed
      + unfinished.filter { object in !object.isGone && !changed.contains { $0 === object } }
  }

  private func isUnfinished(_ shared: SharedObject) -> Bool { unfinished.contains { $0 === shared } }

  /// The candidates but for those that hang together with an object that stays as it is, directly or through others.
  func keepWhole(_ candidates: [NewVersion], without refused: [SharedObject]) -> [NewVersion] {
    var remaining = candidates
    var torn = refused
    var next = 0
    while next < torn.count {
      let cause = torn[next]
      next += 1
      for index in remaining.indices.reversed() where remaining[index].shared.hangsTogether(with: cause) {
        let candidate = remaining.remove(at: index)
        var detail = Text()
        detail.append(printable: cause.name)
        detail.append(", which changed together with it, stays as it is")
        refuse(candidate.shared, UpdateFailure(.incompatible, "dependency-refused", detail))
        candidate.discard(room)
        torn.append(candidate.shared)
      }
    }
    if torn.count > refused.count {
      for shared in torn where !isUnfinished(shared) { unfinished.append(shared) }
    }
    return remaining
  }

  /// Those that have a layout risk or hang together with one that has, and the others.
  func splitByRisk(_ candidates: [NewVersion]) -> (waiting: [NewVersion], free: [NewVersion]) {
    var waiting = candidates.filter { $0.hasLayoutRisk }
    var free = candidates.filter { !$0.hasLayoutRisk }
    var next = 0
    while next < waiting.count {
      let reason = waiting[next].shared
      next += 1
      for index in free.indices.reversed() where free[index].shared.hangsTogether(with: reason) {
        waiting.append(free.remove(at: index))
      }
    }
    return (waiting, free)
  }
}

extension SharedObject {
  /// One of the two needs the other.
  func hangsTogether(with other: SharedObject) -> Bool { needs(other) || other.needs(self) }

  private func needs(_ other: SharedObject) -> Bool {
    current.dependencies.contains { $0 === other.current || $0.identity === other }
  }
}
