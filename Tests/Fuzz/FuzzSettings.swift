// fuzz-sources: Sources/LoaderCore/Kernel Sources/LoaderCore/Log Sources/LoaderCore/Settings Sources/LoaderCore/Watch Sources/LoaderCore/DebugHash/DebugHashAddress.swift Sources/LoaderCore/Ask/StatusLedger.swift

/// Everything of the loader that reads text or events: a configuration file, an environment entry, an option,
/// /proc/PID/status, a bufferful of inotify events, a file name on its way into a log line and into JSON.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSettings(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
  guard let start else { return 0 }
  let bytes = Bytes(start: start, count: count)
  var settings = Settings(isSecure: false, file: bytes, environment: [bytes])
  _ = settings.read(option: bytes, next: bytes)
  guard settings.warnings.count <= Settings.warningLimit else { fatalError("too many warnings") }
  _ = (settings.libraryPath, settings.preload, settings.debug, settings.logLevel, settings.logFile)
  _ = Credentials(status: bytes)

  var events = InotifyEvents(bytes)
  var total = 0
  while let event = events.next() { total += 16 + event.name.count }
  guard total <= count else { fatalError("events beyond the buffer") }

  let path = Path(bytes.prefix(5_000))
  let record = StatusRecord(
    .incompatible, object: path.lastComponent, path: path, time: ClockTime(seconds: 0, nanoseconds: 0))
  for format in [StatusFormat.text, .json] {
    let line = record.line(format, process: 1).bytes
    guard line.count <= 4_096, line.firstIndex(of: 10) == line.count - 1 else { fatalError("not one line") }
  }
  return 0
}
