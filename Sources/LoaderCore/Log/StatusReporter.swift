/// Tells the target of LD_STATUS_INFO, and the log, what happens to objects.
///
/// Phases: until `programIsReady` records wait in memory (LD_EARLY_STATUS_INFO: are written at once), so that nothing
/// is told of a program that Luci then hands over to its own interpreter. From start to `releaseInProgram` the target
/// is open in the program's table; the helper, which inherits a copy of the table, keeps it (`descriptor`), so that
/// the reader of a FIFO sees no end in between. Afterwards program threads open the target for single lines.
public final class StatusReporter {
  private let log: Log
  private(set) var ledger = StatusLedger()
  private let format: StatusFormat
  private let channel: StatusChannel?
  private var waiting: [StatusRecord] = []
  private var isReady: Bool
  private var helper: Int32 = 0
  /// Whether the channel's descriptor is in the program's table.
  private var isStarting = true
  /// The number there. The helper may by then have another one in `channel`.
  private var startDescriptor: FileDescriptor?
  private var isFailureTold = false

  /// More objects than that are no longer told one by one.
  static var waitingLimit: Int { 4096 }

  public init(_ settings: Settings, log: Log) {
    self.log = log
    format = settings.statusFormat
    channel = settings.statusTarget.map { StatusChannel($0.absolute()) }
    isReady = settings.reportsEarly
  }

  /// The descriptor that the helper must not close (`FileDescriptor.closeAll(except:)`).
  public var descriptor: FileDescriptor? { channel?.descriptor }

  /// The C library is up and the program will run: what waited is written.
  public func programIsReady() {
    isReady = true
    let records = waiting
    waiting = []
    for record in records { send(record) }
  }

  /// On the main thread right after the helper was made, or when it is clear that there will be none: closes the
  /// target in the program's table.
  public func releaseInProgram(hasHelper: Bool) {
    guard isStarting else { return }
    isStarting = false
    startDescriptor?.close()
    startDescriptor = nil
    if !hasHelper { channel?.forget() }
  }

  /// On the helper thread.
  public func becomeHelper() { helper = CurrentThread.id }

  /// In a forked child, before it gets a helper of its own. The target is opened again when something happens.
  public func afterFork() {
    helper = 0
    isStarting = false
    // The copy may be half changed: left as it is, for ever.
    _ = Unmanaged.passRetained(ledger)
    ledger = StatusLedger()
    channel?.forget()
  }

  public func report(
    _ event: StatusEvent, object: Path, path: Path, cause: StaticString? = nil, detail: Text? = nil
  ) {
    report(StatusRecord(event, object: object, path: path, cause: cause, detail: detail))
  }

  /// `isLogged`: the log does not have it yet, in other words.
  public func report(_ record: StatusRecord, isLogged: Bool = true) {
    if isLogged { logLine(record) }
    ledger.note(record)
    guard channel != nil else { return }
    if isReady {
      send(record)
    } else if waiting.count < StatusReporter.waitingLimit {
      waiting.append(record)
    }
  }

  private func logLine(_ record: StatusRecord) {
    log.write(record.event.level) { text in
      text.append(record.event.word)
      text.append(" (")
      text.append(record.event.reason)
      text.append(") for ")
      text.append(printable: record.object)
      text.append(" [")
      text.append(printable: record.path)
      text.append("]")
      if let detail = record.detail {
        text.append(": ")
        text.append(detail.bytes)
      }
    }
  }

  private func send(_ record: StatusRecord) {
    guard let channel else { return }
    let line = record.line(format, process: CurrentThread.process)
    let keepsOpen = isStarting || (helper != 0 && helper == CurrentThread.id)
    let isSent = line.withBytes {
      keepsOpen ? channel.send($0) : StatusChannel(channel.path, mayCreate: channel.mayCreate).sendOnce($0)
    }
    if isStarting { startDescriptor = channel.descriptor }
    if isSent { return }
    log.debug(Text("status line not taken by its reader"))
    if isStarting { tellFailure(of: channel) }
  }

  /// A reader that is not there yet is no mistake; a path that can't be used most likely is one.
  private func tellFailure(of channel: StatusChannel) {
    guard let failure = channel.failure, !isFailureTold, channel.mayCreate else { return }
    isFailureTold = true
    var text = Text("status target ")
    text.append(printable: channel.path)
    text.append(" not used: ")
    text.append(failure.text)
    log.warning(text)
  }
}
