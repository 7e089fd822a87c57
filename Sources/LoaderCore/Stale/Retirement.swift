import CKernel

/// When an outdated version counts as given up: all its text was away, unused, for the set time, and no thread's
/// stack leads back into it.
extension StaleDetector {
  /// How long a version stays suspended between two looks at threads that were running, in nanoseconds.
  private static var pause: UInt64 { 50_000_000 }

  func considerRetiring(_ version: OutdatedVersion, _ now: UInt64) {
    guard version.phase == .away, version.obstacle == nil, let awaySince = version.awaySince else { return }
    let due = awaySince + retireTime
    if now < due {
      version.due = min(version.due, due)
      return
    }
    version.due = now + max(StaleDetector.pause, firstInterval / 2)
    do throws(Errno) {
      // Whatever mapped a page without telling, it counts as a use.
      if version.probes == nil {
        guard try isAway(version) else { return note(version, now) }
      }
      try searchStacks(version)
    } catch {
      version.waitsFor = "threads can't be looked at"
      return
    }
    // A use that came meanwhile is in the ring by now.
    takeUses()
    guard version.awaySince == awaySince, version.unseenThreads?.isEmpty ?? false else { return }
    version.phase = .retired
    version.wasUsed = false
    // Probes are read, text that comes back tells.
    version.due = version.probes == nil ? .max : now + StaleDetector.pollInterval
    version.waitsFor = nil
    forgetTold(of: version)
    // Without memory for it the mappings stay what they are.
    try? FileRelease.release(version.version, texts: version.texts.map { $0.range })
    program.log.write(.info) { text in
      text.append("version ")
      text.append(decimal: UInt64(version.number))
      text.append(" of ")
      text.append(printable: version.shared.name)
      text.append(" is no longer in use")
    }
  }

  private func isAway(_ version: OutdatedVersion) throws(Errno) -> Bool {
    let map = try PageMap()
    defer { map.close() }
    for text in version.texts {
      for state in try map.states(of: text.range) where state != .absent { return false }
    }
    return true
  }

  /// Looks at the threads that were not seen without the version since it was taken away.
  private func searchStacks(_ version: OutdatedVersion) throws(Errno) {
    if version.unseenThreads == nil {
      version.unseenThreads = try StackSearch.threads(except: program.ownThreads)
    }
    let search = StackSearch(
      ranges: version.texts.map { $0.range }, maps: try FreeSpace.read(), buffer: try scratchPage())
    var remaining: [Int32] = []
    version.holder = nil
    version.waitsFor = nil
    for thread in version.unseenThreads ?? [] {
      switch search.look(at: thread) {
      case .clean: continue
      case .found: version.holder = thread
      case .notSeen: version.waitsFor = "a thread that never waits can't be looked at"
      }
      remaining.append(thread)
    }
    version.unseenThreads = remaining
  }
}
