import CKernel

/// LD_DETECT_OUTDATED=uprobes: nothing is taken away, the kernel tells of entries. Only calls are seen, and only of
/// functions that changed.
extension StaleDetector {
  static var pollInterval: UInt64 { 250_000_000 }

  func beginProbing(_ version: OutdatedVersion) {
    do throws(Errno) {
      let probes = try UprobeSet()
      do throws(Errno) { try probe(version, probes) } catch {
        probes.close()
        throw error
      }
      version.probes = probes
      version.phase = .away
      version.awaySince = ClockTime.monotonic()
      version.due = ClockTime.monotonic() + StaleDetector.pollInterval
    } catch {
      give(up: "uprobes", error)
    }
  }

  /// The text goes over to a memory file, so that probes are this process's alone.
  private func probe(_ version: OutdatedVersion, _ probes: UprobeSet) throws(Errno) {
    let pages = TextPages(version.version)
    version.obstacle = pages.obstacle
    let functions = version.version.changedFunctions
    var count = 0
    for range in pages.ranges {
      let text = try TextRange(range, of: version.version) { (file) throws(Errno) in
        var name = Text("/proc/thread-self/fd/")
        name.append(decimal: UInt64(file.number))
        for function in functions {
          let address = version.version.bias &+ function
          guard range.contains(address) else { continue }
          count += 1
          if count > probes.capacity { break }
          try probes.add(Path(name), offset: address - range.start)
        }
      }
      version.texts.append(text)
    }
    if count > probes.capacity { version.obstacle = "more functions changed than can be probed" }
  }

  /// What was called since the last look.
  func takeHits(of version: OutdatedVersion) {
    guard let probes = version.probes else { return }
    let now = ClockTime.monotonic()
    let (hits, isComplete) = probes.take()
    if !isComplete {
      note(version, now)
      version.awaySince = now
    }
    for hit in hits {
      note(version, now)
      version.awaySince = now
      report(
        FaultRing.Use(
          address: hit.address, thread: hit.thread, stack: 0, instruction: hit.address, top: 0, time: now),
        version)
    }
  }
}
