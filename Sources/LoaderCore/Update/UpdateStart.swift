import CKernel

/// The helper thread: made once the program is relocated, and anew in each forked child.
extension Program {
  static var helperStackSize: UInt64 { 1 << 20 }
  /// Nanoseconds from the helper's start to its first watch.
  static var watchDelay: UInt64 { 100_000_000 }

  /// Reports the initial versions and starts the helper, if updates can come.
  func startUpdates() {
    let isEnabled = factory.keepsContent
    if isEnabled {
      let updater = Updater(self)
      updater.register(graph.objects)
      self.updater = updater
      stale = StaleDetector(self)
    }
    for object in graph.objects where object.role == .library {
      status.report(.loaded, object: object.name.withUnsafeBytes { Path(Bytes($0)) }, path: object.path)
    }
    status.programIsReady()
    registerFork()
    gates.heapKeep(0)
    if isEnabled {
      if usesUpdatePoint { prepareForSignals() } else { startHelper() }
    }
    status.releaseInProgram(hasHelper: hasHelper)
  }

  /// A stack of its own, and a thread without a descriptor table in common with the program.
  func startHelper() {
    lock.lock()
    defer { lock.unlock() }
    let size = Program.helperStackSize
    var failure = Errno.noMemory
    if let stack = takeHelperStack() {
      runningHelperStack = stack
      // Signals are blocked before the thread exists, so that it never gets one of the program's.
      let mask = Signal.block(UInt64.max)
      helperProcessors = holdOnOneProcessor()
      let result = gates.startHelper(stack + size - 64, 0)
      helperProcessors?.apply()
      Signal.restore(mask)
      if result > 0 {
        hasHelper = true
        helperThread = Int32(truncatingIfNeeded: result)
        return
      }
      failure = Errno(Int32(truncatingIfNeeded: -result))
      helperStack = stack
      lastHelperThread = 0
    }
    var text = Text("no updates: the helper thread can't be started: ")
    text.append(failure.text)
    log.warning(text)
  }

  /// A new thread goes to an idle processor, which must be woken up, and once more when the process ends: more than half
  /// of what the helper costs a short program. One that may only run where its maker runs waits until that one waits or
  /// has had its turn, and then takes its freedom back (`runHelper`). Returns where the calling thread may really run.
  private func holdOnOneProcessor() -> ProcessorSet? {
    // Under SCHED_FIFO it might wait forever.
    guard !Scheduling.isFiltered, Scheduling.isShared, let all = ProcessorSet(ofThread: ()), !all.isOne,
      let one = ProcessorSet(running: ()), one.apply()
    else { return nil }
    return all
  }

  private func takeHelperStack() -> UInt64? {
    if helperStack != 0, lastHelperThread == 0 || !Process.hasThread(Int(lastHelperThread)) {
      defer { helperStack = 0 }
      return helperStack
    }
    let stack = try? Mapping.anonymous(Program.helperStackSize, .readWrite, reserveOnly: true)
    if let stack { try? Mapping.protect(stack, Segments.pageSize, .none) }
    return stack
  }

  /// The helper ends, or is about to begin, as objects that use `__luci_update` come and go; under the lock.
  func reconsiderHelper() {
    guard updater != nil else { return }
    if usesUpdatePoint {
      prepareForSignals()
      if helperThread != 0 { try? ThreadWake.wake(thread: helperThread) }
    } else if !hasHelper && !isConfined && !isHelperInterrupted {
      startHelper()
    }
  }

  /// On the helper thread, under the lock.
  func endsHelperIfAsked() -> Bool {
    guard usesUpdatePoint || isHelperToEnd else { return false }
    helperEnds()
    return true
  }

  /// On the helper thread, under the lock: it does nothing any more but end.
  private func helperEnds() {
    lastHelperThread = helperThread
    helperStack = runningHelperStack
    hasHelper = false
    helperThread = 0
    stale?.helperEnds()
    log.afterFork()
    status.afterFork()
    for shared in updater?.objects ?? [] { shared.foresight = nil }
    updater?.forgetWatches()
  }

  /// The helper thread's whole life.
  public func runHelper() {
    helperProcessors?.apply()
    log.becomeHelper()
    status.becomeHelper()
    var kept: [FileDescriptor] = []
    if let descriptor = status.descriptor { kept.append(descriptor) }
    FileDescriptor.closeAll(except: kept)
    CurrentThread.setName("ld-luci")
    do throws(Errno) {
      let wake = try ThreadWake()
      lock.lock()
      updater?.noteFixed()
      lock.unlock()
      // Most processes are over by then. Giving inotify's watches up takes the kernel some milliseconds, for which
      // the end of the process would wait; what changes before the watches are there is seen by the files' status.
      try wake.sleep(nanoseconds: Program.watchDelay) {
        lock.lock()
        defer { lock.unlock() }
        return usesUpdatePoint || isHelperToEnd
      }
      do throws(Errno) {
        let watcher = try FileWatcher(settleMilliseconds: settings.settleMilliseconds, wake: wake.descriptor)
        updater?.run(watcher)
      } catch {
        var text = Text("inotify can't be used, files are looked at every second: ")
        text.append(error.text)
        log.warning(text)
        updater?.runByPolling(wake.descriptor)
      }
    } catch {
      var text = Text("no updates: ")
      text.append(error.text)
      log.warning(text)
    }
  }

  /// New objects from dlopen: the helper is to watch them.
  func objectsWereOpened(_ objects: [LoadedObject]) {
    for object in objects where object.role == .library {
      status.report(.loaded, object: object.name.withUnsafeBytes { Path(Bytes($0)) }, path: object.path)
    }
    // Their slots have no gates.
    if gatedUpdate?.waiting != nil { standDown() }
    guard let updater else { return }
    if settings.updatesOpenedObjects { updater.register(objects) }
    if helperThread != 0 { try? ThreadWake.wake(thread: helperThread) }
  }

  func currentVersion(of object: LoadedObject) -> LoadedObject { object.identity?.current ?? object }

  /// What dlsym hands out for a function.
  func entryAddress(of found: Definition, name: Bytes, version: SymbolVersion?) -> UInt64 {
    // What leads to it from now on has no gate.
    if let gatedUpdate, gatedUpdate.waiting != nil, gatedUpdate.versions.contains(where: { $0.old === found.object })
    {
      standDown()
    }
    guard let shared = found.object.identity, updater != nil, !entryStubs.isExposed(name, among: registry.objects)
    else { return found.address }
    return entryStubs.entry(for: found, of: shared, name: name, version: version) ?? found.address
  }
}

/// fork(2): the child has a copy of everything but the helper. Luci's locks are taken around it, so that no copy is
/// made of a table that is being changed.
extension Program {
  private func registerFork() {
    guard host.registerAtFork != 0, gates.forkPrepare != 0 else { return }
    // __register_atfork(prepare, parent, child, dso_handle): what pthread_atfork calls.
    _ = ForeignCall.word4(host.registerAtFork, gates.forkPrepare, gates.forkParent, gates.forkChild, 0)
  }

  public func beforeFork() {
    lock.lock()
    forkingThread = lock.holder
    tlsModules.beforeFork()
    gates.heapLock()
  }

  public func afterForkInParent() {
    gates.heapUnlock()
    tlsModules.afterForkInParent()
    lock.unlock()
  }

  public func afterForkInChild() {
    gates.heapUnlock()
    tlsModules.afterForkInChild(threadPointer: Process.threadPointer)
    lock.adoptAfterFork()
    lock.unlock()
    hasHelper = false
    helperThread = 0
    log.afterFork()
    status.afterFork()
    updateLock.abandonAfterFork(by: forkingThread)
    gates.heapKeep(0)
    stackRoom?.release()
    updater?.forgetWatches()
    forgetOutdatedText()
    isForked = true
    helperStack = 0
    isHelperToEnd = false
    isHelperInterrupted = false
    if updater != nil, !usesUpdatePoint, !isConfined { startHelper() }
  }
}
