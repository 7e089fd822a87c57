import Glibc
import Testing

@testable import LoaderCore

@Suite struct StatusReporterTests {
  let directory = TemporaryDirectory()

  func reporter(_ target: String, _ entries: [String] = []) -> StatusReporter {
    let settings = settings(["LD_STATUS_INFO=\(directory.name)/\(target)", "LD_LOGLEVEL=0"] + entries)
    return StatusReporter(settings, log: Log(settings))
  }

  func report(_ reporter: StatusReporter, _ event: StatusEvent = .updated, name: String = "libv.so") {
    reporter.report(event, object: Path(name), path: Path("/path/\(name)"))
  }

  @Test func recordsWaitUntilTheProgramIsReady() {
    let reporter = reporter("status")
    report(reporter, .loaded)
    #expect(directory.read("status").isEmpty)
    reporter.programIsReady()
    report(reporter)
    let lines = directory.read("status").split(separator: "\n")
    #expect(lines.count == 2)
    #expect(
      lines[0].hasPrefix("SUCCESS (loaded initial version) for libv.so [/path/libv.so] in PID \(getpid()) at 20"))
  }

  @Test func earlyRecordsAreWrittenAtOnce() {
    let reporter = reporter("status", ["LD_EARLY_STATUS_INFO=1"])
    report(reporter, .loaded)
    #expect(directory.read("status").hasPrefix("SUCCESS (loaded"))
    reporter.programIsReady()
    #expect(directory.read("status").split(separator: "\n").count == 1)
  }

  @Test func nothingStaysOpenInTheProgram() {
    let reporter = reporter("status")
    reporter.programIsReady()
    report(reporter)
    let number = reporter.descriptor?.number ?? -1
    #expect(fcntl(number, F_GETFD) >= 0)
    reporter.releaseInProgram(hasHelper: false)
    #expect(reporter.descriptor == nil)
    report(reporter)
    #expect(reporter.descriptor == nil)
    #expect(directory.read("status").split(separator: "\n").count == 2)
  }

  /// As logrotate does, with and without its option `create`; and who removes the file gets a new one.
  @Test(arguments: [(true, true), (true, false), (false, true), (false, false)])
  func aFileThatWasRotated(isMoved: Bool, isMadeAnew: Bool) {
    let reporter = reporter("status")
    reporter.programIsReady()
    for _ in 0..<2 { report(reporter) }
    #expect(reporter.descriptor != nil, "it is kept open")
    if isMoved {
      rename("\(directory.name)/status", "\(directory.name)/old")
    } else {
      unlink("\(directory.name)/status")
    }
    if isMadeAnew { directory.write("status", "") }
    for _ in 0..<3 { report(reporter) }
    func count(_ name: String) -> Int { directory.read(name).split(separator: "\n").count }
    #expect(count("status") == (isMoved && !isMadeAnew ? 0 : 3))
    if isMoved { #expect(count("old") == (isMadeAnew ? 2 : 5)) }
  }

  /// Its reader will want the name again.
  @Test(arguments: [true, false])
  func noFileInPlaceOfAFIFO(isKept: Bool) {
    directory.makeFIFO("fifo")
    let reporter = reporter("fifo")
    reporter.programIsReady()
    report(reporter)
    if !isKept { reporter.releaseInProgram(hasHelper: false) }
    unlink("\(directory.name)/fifo")
    report(reporter)
    #expect(access("\(directory.name)/fifo", F_OK) != 0)
  }

  /// Told once, unlike a reader that is not there yet.
  @Test(arguments: [("missing/status", true), ("", true), ("fifo", false)])
  func aTargetThatCannotBe(target: String, isTold: Bool) {
    directory.makeFIFO("fifo")
    let settings = settings(["LD_STATUS_INFO=\(directory.name)/\(target)", "LD_LOGFILE=\(directory.name)/log"])
    let reporter = StatusReporter(settings, log: Log(settings))
    reporter.programIsReady()
    for _ in 0..<3 { report(reporter) }
    let lines = directory.read("log").split(separator: "\n")
    #expect(lines.count { $0.contains("status target \(directory.name)/\(target) not used: ") } == (isTold ? 1 : 0))
  }

  @Test func fifoWithoutReaderAndWithSlowReader() throws {
    directory.makeFIFO("fifo")
    let reporter = reporter("fifo")
    reporter.programIsReady()
    report(reporter)
    #expect(reporter.descriptor == nil)
    let reader = open("\(directory.name)/fifo", O_RDONLY | O_NONBLOCK)
    // Far more than a pipe holds; nobody reads.
    for _ in 0..<3_000 { report(reporter) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    let count = read(reader, &buffer, buffer.count)
    #expect(count > 4_096 && buffer[count - 1] == 10)
    report(reporter, name: "after.so")
    let more = read(reader, &buffer, buffer.count)
    #expect(String(decoding: buffer[0..<max(0, more)], as: UTF8.self).contains("after.so"))
    close(reader)
    report(reporter)
    #expect(Signal.pending() & Signal.set(of: Signal.brokenPipe) == 0)
    let second = open("\(directory.name)/fifo", O_RDONLY | O_NONBLOCK)
    report(reporter, name: "second.so")
    #expect(read(second, &buffer, buffer.count) > 0)
    close(second)
  }

  @Test(arguments: [1, 2, 5]) func sockets(type: Int32) throws {
    let listener = listen(type)
    defer { close(listener) }
    let reporter = reporter("socket")
    reporter.programIsReady()
    report(reporter)
    let connection = type == 2 ? listener : accept(listener, nil, nil)
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let count = read(connection, &buffer, buffer.count)
    #expect(String(decoding: buffer[0..<max(0, count)], as: UTF8.self).hasPrefix("SUCCESS (updated"))
    for _ in 0..<5_000 { report(reporter) }
    if type != 2 {
      // Not close alone: a program that another test starts at this moment may have inherited the descriptor.
      shutdown(connection, Int32(SHUT_RDWR))
      close(connection)
      report(reporter, name: "gone.so")
      let next = accept(listener, nil, nil)
      #expect(next >= 0, "nobody connected again")
      #expect(read(next, &buffer, buffer.count) > 0)
      close(next)
    }
  }

  @Test func socketWithoutListener() {
    close(listen(1))
    let reporter = reporter("socket")
    reporter.programIsReady()
    report(reporter)
    #expect(reporter.descriptor == nil)
  }

  @Test func wrongTargets() {
    directory.makeDirectory("directory")
    for target in ["directory", "none/file", String(repeating: "x", count: 300)] {
      let reporter = reporter(target)
      reporter.programIsReady()
      report(reporter)
      #expect(reporter.descriptor == nil)
    }
  }

  private func listen(_ type: Int32) -> Int32 {
    let number = socket(AF_UNIX, type, 0)
    // accept(2) and read(2) give up after that, rather than never.
    var limit = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(directory.name)/socket".utf8) }
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        #expect(bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0)
      }
    }
    if type != 2 { #expect(Glibc.listen(number, 4) == 0) }
    return number
  }
}
