import CKernel

/// What runs in this process and how old it is, as JSON (docs/luci.md).
struct ProcessReport {
  let text: Text

  init(_ updater: Updater) {
    let program = updater.program
    program.lock.lock()
    defer { program.lock.unlock() }
    // One moment for all that is told, from which times without use are counted back. Whatever ran before it has been
    // noted before it.
    let now = ClockTime.monotonic()
    let outdated = program.stale?.currentVersions ?? []
    var fields = JSONFields()
    fields.add("pid", UInt64(CurrentThread.process))
    fields.add("program", ProcessReport.programPath(program))
    fields.add("time", time: .now())
    fields.add("clock_ns", now)
    fields.add("paused", updater.isPaused)
    fields.add("detection", program.stale?.description ?? "disabled")
    let objects = updater.objects.filter { !$0.isGone }
    fields.add("stale", ProcessReport.staleness(objects, outdated).word)
    fields.add("objects", list: objects.map { ProcessReport.describe($0, outdated, program, now) })
    text = fields.object
  }

  static func programPath(_ program: Program) -> Path {
    let known = program.executablePath
    return known.isEmpty ? (try? Path("/proc/self/exe").linkTarget()) ?? known : known
  }

  enum Staleness {
    case no, yes, unknown

    var word: StaticString {
      switch self {
      case .no: "no"
      case .yes: "yes"
      case .unknown: "unknown"
      }
    }
  }

  /// Yes where old code was seen in use; no where each old version was given up; else it is not known (yet).
  static func staleness(_ objects: [SharedObject], _ outdated: [OutdatedVersion]) -> Staleness {
    var result = Staleness.no
    for shared in objects where shared.versions.count > 1 {
      for version in shared.versions where version !== shared.current {
        switch outdated.first(where: { $0.version === version })?.finding ?? .unknown {
        case .retired: continue
        case .inUse: return .yes
        case .quiet, .unknown: result = .unknown
        }
      }
    }
    return result
  }

  /// What tells whether an object's newest file was taken. One that changed while updates are paused has not been
  /// looked at.
  private static func isAboutFile(_ event: StatusEvent) -> Bool {
    event != .reusedOutdated && event != .sameHash && event != .updatesDisabled
  }

  private static func describe(
    _ shared: SharedObject, _ outdated: [OutdatedVersion], _ program: Program, _ now: UInt64
  ) -> Text {
    var fields = JSONFields()
    fields.add("object", shared.name)
    fields.add("path", shared.path)
    let number = shared.versions.firstIndex { $0 === shared.current } ?? 0
    fields.add("version", UInt64(number + 1))
    fields.add("versions", UInt64(shared.versions.count))
    let ledger = program.status.ledger
    if let update = ledger.last(of: shared.path, where: { $0.event == .updated }) {
      fields.add("since", time: update.time)
    }
    let waitsFor = program.updater?.waitsFor(shared)
    fields.add("pending", waitsFor != nil)
    if let waitsFor { fields.add("waits_for", waitsFor) }
    if let last = ledger.last(of: shared.path, where: { isAboutFile($0.event) }), last.event != .updated {
      var refusal = JSONFields()
      refusal.add("reason", last.event.reason)
      refusal.add("code", last.event.code)
      if let cause = last.cause { refusal.add("cause", cause) }
      if let detail = last.detail { refusal.add("detail", detail) }
      refusal.add("time", time: last.time)
      fields.add("refused", raw: refusal.object)
    }
    let own = outdated.filter { $0.shared === shared }
    fields.add("stale", staleness([shared], own).word)
    if shared.versions.count > 1 { fields.add("outdated", list: own.map { $0.report(at: now) }) }
    return fields.object
  }
}
