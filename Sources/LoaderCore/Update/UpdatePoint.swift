import CKernel

/// `__luci_update()`: what has changed since the last call is applied now, on the calling thread.
extension Program {
  /// 1: something was applied. `frame`: a place on the caller's stack.
  public func updatePoint(frame: UInt64) -> Int32 {
    // From a constructor or a hook: the table of objects is being changed. From a signal handler that interrupted
    // such a call: the same.
    guard let updater, !lock.isHeld else { return 0 }
    // What a handler has interrupted may be the C library's allocator, whose lock a thread waits for that has one of
    // Luci's.
    if SignalFrame.mayBeAbove(frame, of: self) { return 0 }
    updateLock.lock()
    defer { updateLock.unlock() }
    if updateLock.isNested || !usesUpdatePoint || isConfined { return 0 }
    let isApplied = updater.updateNow(frame: frame)
    if isApplied {
      lock.lock()
      reconsiderHelper()
      lock.unlock()
    }
    return isApplied ? 1 : 0
  }
}

extension Updater {
  /// Under the update lock.
  func updateNow(frame: UInt64) -> Bool {
    program.lock.lock()
    let known = objects
    program.lock.unlock()
    lookAtFixed()
    let isChanged = known.contains { $0.hasNewFile }
    guard isChanged || waiting != nil else { return false }
    setBusy(true)
    defer { setBusy(false) }
    let changed = isChanged && settle(known) ? known.filter { $0.takeNewFile() } : []
    let prepared = changed.isEmpty ? [] : prepareAll(changed, nil)
    program.lock.lock()
    defer { program.lock.unlock() }
    let candidates = waitIfNeeded(withObjectsInUse(prepared))
    let isApplied = stepWaiting(frame: frame)
    return apply(candidates) || isApplied
  }

  /// On a program thread, under the lock.
  private func apply(_ candidates: [NewVersion]) -> Bool {
    var refused: [SharedObject] = []
    let loaded = candidates.filter { candidate in
      do throws(UpdateFailure) {
        try program.loadNeeds(of: candidate)
        return true
      } catch {
        refuse(candidate.shared, error)
        candidate.discard(room)
        refused.append(candidate.shared)
        return false
      }
    }
    let (ready, _) = bind(keepWhole(loaded, without: refused), mayCall: true)
    if ready.isEmpty { return false }
    program.finish(ready)
    reportUpdated(ready)
    return true
  }

  /// Waits until nothing has happened to any changed file for the settle time; false for files that never come to rest.
  func settle(_ known: [SharedObject]) -> Bool {
    let settle = program.settings.settleMilliseconds * 1_000_000
    for _ in 0..<SettleQueue.patience {
      let before = known.map { $0.fileStatus }
      let now = ClockTime.now()
      let ages = zip(known, before).compactMap { (shared, status) -> UInt64? in
        guard let status, shared.seen.isOther(status) else { return nil }
        return status.age(at: now)
      }
      guard let youngest = ages.min() else { return false }
      if youngest >= settle { return true }
      // A clock that goes back, or a server's, says nothing: then a whole settle time without a change does.
      _ = try? FileDescriptor.waitForInput([], nanoseconds: settle - youngest)
      if known.map({ $0.fileStatus }) == before { return true }
    }
    return false
  }
}

extension SharedObject {
  var fileStatus: FileStatus? { isGone ? nil : try? FileDescriptor.status(of: path) }

  /// An empty file is about to be written.
  var hasNewFile: Bool { fileStatus.map { seen.isOther($0) && $0.size > 0 } ?? false }

  func takeNewFile() -> Bool {
    guard hasNewFile, let status = fileStatus else { return false }
    isDoubted = status == seen.status
    seen = SeenFile(status, at: ClockTime.now())
    return true
  }
}

extension FileStatus {
  /// Nanoseconds since the inode was last changed, by the clock that names them; 0 for what lies ahead.
  func age(at now: ClockTime) -> UInt64 {
    let seconds = now.seconds - changedSeconds
    let age = seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue
    let result = age &+ Int64(now.nanoseconds) &- Int64(changedNanoseconds)
    return seconds < 0 || result < 0 ? 0 : UInt64(result)
  }
}
