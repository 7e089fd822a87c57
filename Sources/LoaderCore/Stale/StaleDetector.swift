import CKernel

/// Sees whether code of outdated versions still runs (docs/stale.md). On the helper thread: some time after an update
/// the old text is taken away; each use is reported, and the text taken away again after a while, so that "not used
/// since" is known and not guessed.
final class StaleDetector {
  enum Mode: UInt8 { case disabled, userfaultfd, uprobes, uprobesWithDependants }

  let program: Program
  private(set) var mode: Mode
  private(set) var versions: [OutdatedVersion] = []
  private(set) var server: FaultServer?
  /// Why nothing can be seen in this process; told once.
  private(set) var obstacle: StaticString?
  /// What was reported, and how many uses the server could not note.
  var told: Set<UInt64> = []
  var lostUses: UInt64 = 0
  /// Threads of Luci's besides the helper.
  private(set) var threadCount: UInt32 = 0
  private(set) var serverThread: Int32 = 0

  /// More functions and threads than that are counted, but not reported one by one.
  static var reportLimit: Int { 4096 }
  /// In use, text is taken away at distances that grow up to this many times the first.
  static var longestInterval: UInt64 { 8 }
  /// With a delay of 0.
  private static var shortestInterval: UInt64 { 1_000_000 }

  init(_ program: Program) {
    self.program = program
    mode = program.settings.outdatedDetection
    // A debugger that comes later must find all text where it is, to put breakpoints into it.
    if program.settings.debug.contains(.images) { obstacle = "LD_DEBUG=1" }
  }

  private var scratch: UInt64 = 0
  var retireTime: UInt64 { program.settings.retireSeconds * 1_000_000_000 }

  /// A page for whoever needs one for a moment.
  func scratchPage() throws(Errno) -> UInt64 {
    if scratch == 0 { scratch = try Mapping.anonymous(Segments.pageSize, .readWrite) }
    return scratch
  }

  private var delay: UInt64 { program.settings.detectionDelaySeconds * 1_000_000_000 }
  var firstInterval: UInt64 { max(delay, StaleDetector.shortestInterval) }

  private var isPaused = false
  private var isFailureTold = false

  /// Somebody asked for it, or wants it no more.
  func setWanted(_ isWanted: Bool) {
    if isWanted == (mode != .disabled) { return }
    mode = isWanted ? .userfaultfd : .disabled
    if !isWanted { releaseAll() }
  }

  /// While paused all text is there.
  func setPaused(_ paused: Bool) {
    isPaused = paused
    if paused { releaseAll() }
  }

  private func releaseAll() {
    for version in versions { release(version) }
    versions = []
  }

  /// The helper ends: all text is ordinary memory, and the server ends before it. A later helper begins anew.
  func helperEnds() {
    releaseAll()
    guard let server else { return }
    server.end()
    let deadline = ClockTime.monotonic() + 1_000_000_000
    while Process.hasThread(Int(serverThread)), ClockTime.monotonic() < deadline {
      _ = try? FileDescriptor.waitForInput([], nanoseconds: 20_000)
    }
    self.server = nil
    threadCount = 0
  }

  /// The versions that are watched, as far as they are known by now; on the helper.
  var currentVersions: [OutdatedVersion] {
    takeUses()
    return versions
  }

  var description: StaticString {
    if obstacle != nil { return "impossible" }
    switch mode {
    case .disabled: return "disabled"
    case .userfaultfd: return "userfaultfd"
    case .uprobes: return "uprobes"
    case .uprobesWithDependants: return "uprobes_deps"
    }
  }

  /// Does what is due; on the helper, without Luci's lock. Returns when there is more to do, nil: when woken.
  func step(_ objects: [SharedObject]) -> UInt64? {
    guard mode != .disabled, obstacle == nil, !isPaused else { return nil }
    let now = ClockTime.monotonic()
    discover(objects, now)
    takeUses()
    for version in versions where version.due <= now { look(at: version, now) }
    return versions.lazy.map { $0.due }.filter { $0 != .max }.min()
  }

  /// Versions that became outdated, and those that are current again.
  private func discover(_ objects: [SharedObject], _ now: UInt64) {
    for version in versions where version.shared.current === version.version || version.shared.isGone {
      release(version)
    }
    versions.removeAll { $0.shared.current === $0.version || $0.shared.isGone }
    for shared in objects where !shared.isGone && shared.versions.count > 1 {
      for (index, version) in shared.versions.enumerated() where version !== shared.current {
        if versions.contains(where: { $0.version === version }) { continue }
        versions.append(
          OutdatedVersion(
            shared, version, number: index + 1, at: now, due: now + delay, interval: firstInterval))
      }
    }
  }

  /// Its text is ordinary memory again. Uses that are on their way are nobody's.
  private func release(_ version: OutdatedVersion) {
    version.probes?.close()
    version.probes = nil
    if let server { for text in version.texts { try? server.faults.unregister(text.range) } }
    version.phase = .unwatched
  }

  private func look(at version: OutdatedVersion, _ now: UInt64) {
    version.due = .max
    if Tracer.isPresent {
      if Tracer.isRecorder { return giveUp(Tracer.recorder) }
      // A debugger's breakpoints would be lost with the text.
      version.isTraced = true
      version.waitsFor = "a debugger follows the process"
      version.due = now + max(firstInterval, 1_000_000_000)
      return
    }
    if version.isTraced {
      version.isTraced = false
      version.waitsFor = nil
    }
    switch version.phase {
    case .unwatched: mode == .userfaultfd ? begin(version) : beginProbing(version)
    case .away where version.probes != nil, .retired where version.probes != nil:
      takeHits(of: version)
      version.due = now + StaleDetector.pollInterval
    case .away: if version.awaySince == nil { takeAwayAgain(version) }
    case .unwatchable, .retired: return
    }
    considerRetiring(version, now)
  }

  // MARK: Taking away

  private func begin(_ version: OutdatedVersion) {
    do throws(Errno) {
      guard let server = try startServer() else { return }
      if version.texts.isEmpty {
        let pages = TextPages(version.version)
        version.obstacle = pages.obstacle
        for range in pages.ranges { version.texts.append(try TextRange(range, of: version.version)) }
      }
      if version.texts.isEmpty {
        version.phase = .unwatchable
        return
      }
      version.phase = .away
      for text in version.texts { try server.faults.register(text.range) }
      for text in version.texts { try drop(text, of: version) }
      version.present = []
      version.awaySince = ClockTime.monotonic()
    } catch {
      release(version)
      version.phase = .unwatchable
      version.obstacle = error.text
      if isFailureTold { return }
      isFailureTold = true
      var text = Text("outdated code can't be watched: ")
      text.append(error.text)
      program.log.warning(text)
    }
  }

  private func takeAwayAgain(_ version: OutdatedVersion) {
    do throws(Errno) {
      for text in version.texts { try drop(text, of: version) }
      version.present = []
      // A page that the server was about to put back may be there again.
      if server?.ring.isServing ?? false {
        version.due = ClockTime.monotonic() + firstInterval
      } else {
        version.awaySince = ClockTime.monotonic()
      }
    } catch {
      version.phase = .unwatchable
      version.obstacle = error.text
    }
  }

  /// Pages that somebody has written to stay: what was written would be lost.
  private func drop(_ text: TextRange, of version: OutdatedVersion) throws(Errno) {
    let map = try PageMap()
    defer { map.close() }
    let states = try map.states(of: text.range)
    var start = 0
    for index in 0...states.count where index == states.count || states[index] == .changed {
      if index > start {
        try text.drop(
          AddressRange(
            start: text.range.start + UInt64(start) * Segments.pageSize,
            count: UInt64(index - start) * Segments.pageSize))
      }
      if index < states.count {
        version.hasChangedPages = true
        version.obstacle = "its code was changed in memory"
      }
      start = index + 1
    }
  }

  // MARK: The server

  private func startServer() throws(Errno) -> FaultServer? {
    if let server { return server }
    do throws(Errno) {
      let server = try FaultServer(helper: CurrentThread.id)
      self.server = server
      do throws(Errno) { serverThread = try program.startFaultServer() } catch {
        server.faults.descriptor.close()
        throw error
      }
      threadCount = 1
      return server
    } catch {
      server = nil
      give(up: "userfaultfd", error)
      return nil
    }
  }

  /// Told once: from here on nothing is seen in this process.
  func give(up what: StaticString, _ error: Errno) {
    var text = Text(what)
    text.append(": ")
    text.append(error.text)
    giveUp("the kernel forbids it", text)
  }

  private func giveUp(_ reason: StaticString, _ detail: Text? = nil) {
    guard obstacle == nil else { return }
    obstacle = reason
    var text = Text("outdated code is not detected: ")
    if let detail { text.append(detail.bytes) } else { text.append(reason) }
    program.log.warning(text)
  }

  func runServer() { server?.run() }
}
