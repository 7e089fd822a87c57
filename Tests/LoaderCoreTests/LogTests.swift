import Glibc
import Testing

@testable import LoaderCore

/// Lines go to files here: standard error belongs to the whole test process.
@Suite struct LogTests {
  let directory = TemporaryDirectory()

  func log(_ entries: [String] = []) -> Log {
    Log(settings(["LD_LOGFILE=\(directory.name)/log"] + entries))
  }
  var lines: [Substring] { directory.read("log").split(separator: "\n") }

  @Test func levelsDecide() {
    let log = log(["LD_LOGLEVEL=4"])
    log.notice(Text("shown"))
    log.info(Text("not shown"))
    log.write(.debug) { _ in Issue.record("text of a line that is not written was made") }
    #expect(lines.count == 1)
    #expect(lines[0].hasPrefix("ld-luci.so: ") && lines[0].hasSuffix("[\(getpid())] notice: shown"))
  }

  @Test func levelZeroSaysNothing() {
    let log = log(["LD_LOGLEVEL=0"])
    log.fatal(Text("x"))
    log.write(.none, Text("x"))
    #expect(lines.isEmpty)
  }

  @Test func timeOfDay() throws {
    log(["LD_LOGTIME_ABS=1"]).warning("x")
    #expect(lines[0].split(separator: " ")[1].hasPrefix("20"))
    #expect(lines[0].split(separator: " ")[1].hasSuffix("Z"))
  }

  @Test func fileIsEmptiedUnlessAppending() {
    directory.write("log", "before\n")
    log(["LD_LOGFILE_APPEND=1"]).warning("one")
    #expect(lines.count == 2)
    log().warning("two")
    #expect(lines.count == 1)
  }

  @Test func oneLineForOneMessage() {
    log().warning(Text("a\nld-luci.so: forged \u{1b}[2J" + String(repeating: "x", count: 10_000)))
    #expect(lines.count == 1)
    #expect(directory.read("log").utf8.count <= Log.lineLimit)
    #expect(!directory.read("log").contains("\u{1b}"))
  }

  @Test func wrongSettingsAreLogged() {
    _ = log(["LD_SETTLE_TIME=x"])
    #expect(lines.count == 1 && lines[0].hasSuffix("wrong value in the environment for LD_SETTLE_TIME: x"))
  }

  @Test func unknownDebugOptionsAreLogged() {
    _ = log(["LD_DEBUG=libs,nonsense unused"])
    #expect(lines.count == 1 && lines[0].hasSuffix("debug option `nonsense' unknown; try LD_DEBUG=help"))
  }

  /// The numbers of the program's table stay the program's: no descriptor is kept by a program thread, one by the
  /// helper.
  @Test func descriptors() {
    let log = log()
    log.warning("program")
    #expect(openFiles("log") == 0)
    log.becomeHelper()
    log.warning("helper")
    log.warning("helper")
    #expect(openFiles("log") == 1)
    #expect(lines.count == 3)
  }

  @Test func aFileThatWasRotated() {
    let log = log()
    log.becomeHelper()
    log.warning("one")
    rename("\(directory.name)/log", "\(directory.name)/old")
    log.warning("two")
    #expect(directory.read("old").split(separator: "\n").count == 2, "there is no other file yet")
    directory.write("log", "")
    log.warning("three")
    unlink("\(directory.name)/log")
    log.warning("four")
    #expect(lines.count == 1 && lines[0].hasSuffix("four"))
    #expect(openFiles("log") == 1)
  }

  private func openFiles(_ name: String) -> Int {
    var count = 0
    for number in 0..<256 {
      guard let target = try? Path("/proc/self/fd/\(number)").linkTarget() else { continue }
      if target.string == "\(directory.name)/\(name)" { count += 1 }
    }
    return count
  }

  /// A write to a pipe without reader leaves no SIGPIPE behind, with the signal blocked or not.
  @Test func brokenPipeIsSilent() throws {
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    close(ends[0])
    defer { close(ends[1]) }
    let before = Signal.block(0)
    let result = Signal.withoutBrokenPipe { FileDescriptor(ends[1]).writeOnce(Bytes("x")) }
    #expect(result == -Int(EPIPE))
    #expect(Signal.pending() & Signal.set(of: Signal.brokenPipe) == 0)
    #expect(Signal.block(0) == before)
  }

  /// One that waited before is not taken from the program.
  @Test func foreignBrokenPipeStays() throws {
    let set = Signal.set(of: Signal.brokenPipe)
    let mask = Signal.block(set)
    try Signal.send(Signal.brokenPipe, toThread: CurrentThread.id)
    _ = Signal.withoutBrokenPipe { -Int(EPIPE) }
    #expect(Signal.pending() & set != 0)
    Signal.consume(set)
    Signal.restore(mask)
  }

  @Test func descriptorOfTheProgramIsBorrowed() throws {
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    defer { close(ends[0]) }
    let borrowed = try FileDescriptor.borrowed(fromProgram: ends[1], flags: O_WRONLY)
    close(ends[1])
    #expect(borrowed.takesOutput)
    #expect(borrowed.writeOnce(Bytes("abc")) == 3)
    borrowed.close()
    var buffer = [UInt8](repeating: 0, count: 8)
    #expect(read(ends[0], &buffer, 8) == 3)
    #expect(read(ends[0], &buffer, 8) == 0)
    #expect(throws: Errno(EBADF)) { try FileDescriptor.borrowed(fromProgram: 1_000_000, flags: O_WRONLY) }
  }
}
