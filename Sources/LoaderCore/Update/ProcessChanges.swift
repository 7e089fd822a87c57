import CKernel

/// What the program does to itself, and what that means for the helper thread (Sources/CBoot/process.c).
extension Program {
  /// unshare(2): these demand a process of one thread. The kernel adds CLONE_THREAD for a new user namespace.
  private static var demandsOneThread: Int { Int(CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) }

  /// Before unshare(2) with `flags`, or setns(2) (-1: nobody knows what its descriptor stands for): the helper ends,
  /// if it is all that keeps the process from being one of a single thread.
  public func beforeAlone(flags: Int) {
    guard hasHelper, flags & Program.demandsOneThread != 0, !lock.isHeld,
      Process.programThreadCount(helpers: helperCount) == 1
    else { return }
    namespaceBefore = Program.userNamespace
    isHelperInterrupted = stopHelper()
  }

  public func afterAlone() {
    guard isHelperInterrupted else { return }
    isHelperInterrupted = false
    if Program.userNamespace == namespaceBefore { return startHelper() }
    // Everybody who is not mapped has the same number there.
    confine("the program enters a user namespace: owners of files can't be told, no further updates")
  }

  /// What tells one user namespace from another.
  private static var userNamespace: UInt64 {
    (try? FileDescriptor.status(of: Path("/proc/self/ns/user")))?.inode ?? 0
  }

  /// Before a filter for system calls, or strict mode, is put on the calling thread. `endsUpdates`: on all threads; or
  /// it allows a thread nothing but to end, at which a process ends only if it has no other. The helper would be killed
  /// by it, and the program with it; so would be a helper that a sandboxed thread starts after fork(2).
  public func beforeSeccomp(endsUpdates: Bool) {
    guard updater != nil else { return }
    if endsUpdates, hasHelper, !lock.isHeld {
      namespaceBefore = Program.userNamespace
      isHelperInterrupted = stopHelper()
    }
    confine(
      endsUpdates
        ? "the program enters seccomp: no further updates"
        : "the program enters seccomp: no updates that need one of its threads, and none in processes that it forks")
  }

  /// It was not permitted, or the arguments were wrong: programs try what the kernel can.
  public func afterFailedSeccomp() {
    isConfined = false
    afterAlone()
  }

  private func confine(_ warning: StaticString) {
    if isConfined { return }
    isConfined = true
    log.warning(warning)
  }

  /// exit(2) of a single thread: the last one of the program ends the process.
  public func beforeThreadExit() {
    // A confined thread may not even look.
    guard hasHelper, !isConfined, !lock.isHeld, Process.programThreadCount(helpers: helperCount) == 1 else { return }
    _ = stopHelper()
  }

  /// Waits for the end of the helper, which may be busy with an update. False: it is still there.
  private func stopHelper() -> Bool {
    lock.lock()
    let thread = helperThread
    isHelperToEnd = true
    lock.unlock()
    defer { isHelperToEnd = false }
    if thread == 0 { return false }
    try? ThreadWake.wake(thread: thread)
    let deadline = ClockTime.monotonic() + 5_000_000_000
    while Process.hasThread(Int(thread)) {
      if ClockTime.monotonic() > deadline { return false }
      _ = try? FileDescriptor.waitForInput([], nanoseconds: 20_000)
    }
    return true
  }
}

/// No inotify instance is left (fs.inotify.max_user_instances): files are looked at now and then.
extension Updater {
  /// Nanoseconds between two looks.
  static var pollInterval: UInt64 { 1_000_000_000 }

  func runByPolling(_ wake: FileDescriptor) {
    openDesk()
    var files = [wake]
    if let desk { files.append(desk.channel.requests) }
    while true {
      program.lock.lock()
      if program.endsHelperIfAsked() { return program.lock.unlock() }
      let known = objects
      program.lock.unlock()
      lookAtFixed()
      if !isPaused, known.contains(where: { $0.hasNewFile }), settle(known) {
        update(known.filter { $0.takeNewFile() }, nil)
      }
      do throws(Errno) {
        let now = ClockTime.monotonic()
        let step = earliest(stepWaiting(), program.stale?.step(known))
        let end = earliest(step, now + Updater.pollInterval) ?? now
        if try FileDescriptor.waitForInput(files, nanoseconds: end > now ? end - now : 0) & 1 != 0 { wake.drain() }
        desk?.serve()
      } catch {
        return
      }
    }
  }
}
