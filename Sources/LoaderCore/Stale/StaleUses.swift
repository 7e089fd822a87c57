import CKernel

/// Uses of outdated code: what follows from one, and what is told of it.
extension StaleDetector {
  /// What the server noted since.
  func takeUses() {
    for version in versions where version.probes != nil { takeHits(of: version) }
    guard let server else { return }
    while let use = server.ring.take() {
      guard let version = versions.first(where: { $0.watches(use.address) }) else { continue }
      note(version, use.time)
      report(use, version)
    }
    let lost = server.ring.lost
    if lost != lostUses {
      lostUses = lost
      for version in versions where version.isWatched { note(version, ClockTime.monotonic()) }
    }
  }

  func note(_ version: OutdatedVersion, _ time: UInt64) {
    version.uses += 1
    version.lastUse = ClockTime.now()
    let wasAway = version.awaySince != nil
    // Rare uses are looked for at once again.
    if let since = version.awaySince, time > since + 4 * version.interval { version.interval = firstInterval }
    version.phase = .away
    version.wasUsed = true
    version.awaySince = nil
    version.unseenThreads = nil
    version.holder = nil
    version.waitsFor = nil
    if wasAway {
      version.due = time + version.interval
      version.interval = min(version.interval * 2, firstInterval * StaleDetector.longestInterval)
    }
  }

  func report(_ use: FaultRing.Use, _ version: OutdatedVersion) {
    let place = version.place(of: use.instruction == 0 ? use.address : use.instruction)
    version.lastPlace = place
    var key = FNV1a()
    key.combine(version.version.bias)
    key.combine(place.address)
    key.combine(UInt64(UInt32(bitPattern: use.thread)))
    guard told.count < StaleDetector.reportLimit, told.insert(key.value).inserted else { return }
    version.told.append(key.value)
    program.status.report(OutdatedUse(use, version, place, caller(of: use, place)).record)
  }

  /// Whoever called the function: at its first instruction, the word on top of the stack is the return address.
  private func caller(of use: FaultRing.Use, _ place: CodePlace) -> Path? {
    guard place.offset == 0, use.top != 0,
      let object = program.registry.object(containing: use.top)
        ?? program.hostObjects.first(where: { $0.contains(use.top) })
    else { return nil }
    if object.role == .executable { return ProcessReport.programPath(program).lastComponent }
    return object.name.isEmpty ? object.path.lastComponent : object.name.withUnsafeBytes { Path(Bytes($0)) }
  }

  /// A use after the version was given up is news again.
  func forgetTold(of version: OutdatedVersion) {
    told.subtract(version.told)
    version.told = []
    version.interval = firstInterval
  }
}
