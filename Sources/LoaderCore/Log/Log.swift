import CKernel

/// How much is said. The numbers are those of LD_LOGLEVEL.
public enum LogLevel: UInt8, Sendable {
  case none, fatal, error, warning, notice, info, debug, trace

  var name: StaticString {
    switch self {
    case .none: "none"
    case .fatal: "fatal"
    case .error: "error"
    case .warning: "warning"
    case .notice: "notice"
    case .info: "info"
    case .debug: "debug"
    case .trace: "trace"
    }
  }

  init?(name: Bytes) {
    for value in LogLevel.none.rawValue...LogLevel.trace.rawValue {
      guard let level = LogLevel(rawValue: value), name == Bytes(level.name) else { continue }
      self = level
      return
    }
    return nil
  }
}

/// Lines for people: `ld-luci.so: warning: ...`, on standard error or in LD_LOGFILE, each by one write(2).
///
/// The log owns no descriptor in the program's table: numbers there are the program's, which may close or reuse any
/// of them. Program threads write to descriptor 2 as it is at that moment, or open the log file for the one line. The
/// helper thread has a table of its own: it keeps the log file open, but borrows the program's descriptor 2 for each
/// line, since a kept one would hold a pipe open that the program has closed.
///
/// Nothing is reported when a line cannot be written. SIGPIPE never reaches the program. A program thread waits for
/// one write at most, the helper not at all: it drops lines and says later how many.
public final class Log {
  public private(set) var level: LogLevel
  private let file: Path?
  private let isTimed: Bool
  private let isTimeAbsolute: Bool
  private let start: UInt64
  /// Thread id of the helper, 0 for none.
  private var helper: Int32 = 0
  /// In the helper's table.
  private var helperFile: FileDescriptor?
  private var lost: UInt64 = 0

  /// A line longer than that is cut; PIPE_BUF, so that lines of several processes do not mix.
  static var lineLimit: Int { 4096 }

  /// Opens the log file once to empty it and to see that it can be written to; else standard error serves.
  public init(_ settings: Settings) {
    level = settings.logLevel
    isTimeAbsolute = settings.logsAbsoluteTime
    start = ClockTime.monotonic()
    let path = settings.logFile?.absolute()
    var failure: Errno?
    if let path {
      do throws(Errno) {
        try Log.open(path, extraFlags: settings.appendsToLogFile ? 0 : O_TRUNC).close()
      } catch {
        failure = error
      }
    }
    file = failure == nil ? path : nil
    isTimed = file != nil || settings.source(of: .logTimeAbsolute) != .preset
    if let failure, let path {
      var text = Text("log file ")
      text.append(printable: path)
      text.append(" not used: ")
      text.append(failure.text)
      warning(text)
    }
    for line in settings.warnings { warning(line) }
  }

  private static func open(_ path: Path, extraFlags: Int32) throws(Errno) -> FileDescriptor {
    // Not blocking: a FIFO without reader is an error here, and a full one loses lines.
    try FileDescriptor.open(
      path, flags: O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | extraFlags, mode: 0o644)
  }

  /// Called on the helper thread once its table is its own.
  public func becomeHelper() {
    helperFile = nil
    helper = CurrentThread.id
  }

  /// Called in a forked child: its helper is another thread, and is yet to come.
  public func afterFork() {
    helper = 0
    helperFile = nil
    lost = 0
  }

  @inline(__always)
  public func allows(_ level: LogLevel) -> Bool { level.rawValue <= self.level.rawValue && level != .none }

  public func fatal(_ text: Text) { write(.fatal, text) }
  public func error(_ text: Text) { write(.error, text) }
  public func warning(_ text: Text) { write(.warning, text) }
  public func warning(_ text: StaticString) { write(.warning, Text(text)) }
  public func notice(_ text: Text) { write(.notice, text) }
  public func info(_ text: Text) { write(.info, text) }
  public func debug(_ text: Text) { write(.debug, text) }
  public func trace(_ text: Text) { write(.trace, text) }

  /// The text is only made if it will be written.
  @inline(__always)
  public func write(_ level: LogLevel, _ fill: (inout Text) -> Void) {
    guard allows(level) else { return }
    var text = Text()
    fill(&text)
    write(level, text)
  }

  /// Bytes of unknown origin in the text should have come through `append(printable:)`; line ends are replaced
  /// anyway.
  public func write(_ level: LogLevel, _ text: Text) {
    guard allows(level) else { return }
    let line = line(level, text)
    let isHelper = helper != 0 && helper == CurrentThread.id
    if !put(line, isHelper: isHelper) && isHelper { lost &+= 1 }
  }

  private func line(_ level: LogLevel, _ message: Text) -> Text {
    var text = Text("ld-luci.so: ")
    if isTimed {
      if isTimeAbsolute {
        text.append(timestamp: ClockTime.now())
      } else {
        let passed = (ClockTime.monotonic() &- start) / 1_000
        text.append(decimal: passed / 1_000_000)
        text.append(".")
        text.append(decimal: passed % 1_000_000, width: 6)
      }
      text.append(" ")
    }
    if isTimed || self.level.rawValue >= LogLevel.debug.rawValue {
      text.append("[")
      text.append(decimal: UInt64(CurrentThread.process))
      text.append("] ")
    }
    text.append(level.name)
    text.append(": ")
    if lost > 0 {
      text.append("(")
      text.append(decimal: lost)
      text.append(" lines lost) ")
    }
    message.withBytes { text.append(printable: $0, limit: Log.lineLimit - text.bytes.count - 8) }
    text.append("\n")
    return text
  }

  private func put(_ line: Text, isHelper: Bool) -> Bool {
    do throws(Errno) {
      if let file {
        if isHelper, let kept = helperFile {
          // Where a rotated file can't be opened anew, the old one is better than none.
          if kept.isReplaced(at: file), let new = try? Log.open(file, extraFlags: 0) {
            kept.close()
            helperFile = new
          }
          return finish(helperFile ?? kept, line)
        }
        let opened = try Log.open(file, extraFlags: 0)
        if isHelper { helperFile = opened }
        defer { if !isHelper { opened.close() } }
        return finish(opened, line)
      }
      if !isHelper { return finish(.standardError, line) }
      let borrowed = try FileDescriptor.borrowed(
        fromProgram: 2, flags: O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY)
      defer { borrowed.close() }
      return borrowed.takesOutput && finish(borrowed, line)
    } catch {
      return false
    }
  }

  private func finish(_ descriptor: FileDescriptor, _ line: Text) -> Bool {
    let result = line.withBytes { bytes in Signal.withoutBrokenPipe { descriptor.writeOnce(bytes) } }
    if result > 0 { lost = 0 }
    return result > 0
  }
}
