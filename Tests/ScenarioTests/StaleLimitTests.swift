import Foundation
import Testing

/// Where old code can't be looked at, nothing breaks, and that is told once.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct StaleLimitTests {
  let workspace = try! Workspace()
  static let hasDebugger = Luci.exists("/usr/bin/gdb")

  private func warnings(_ stale: StaleProgram) -> [Substring] { stale.program.seen.errors.split(separator: "\n") }

  /// userfaultfd(2) and, for the reading of stacks and page tables, nothing else is needed.
  @Test(arguments: Start.luci)
  func filterAgainstUserfaultfd(start: Start) async throws {
    let forbid = try await workspace.compile("forbid", "forbid.c")
    let stale = try await StaleProgram(in: workspace, start: start, prefix: [forbid, "323"])
    try await stale.update()
    try await stale.program.wait(for: "the warning") { $0.errors.isEmpty ? nil : true }
    #expect(try await stale.ask("call") == "callback one")
    try await stale.update(to: "three")
    #expect(try await stale.ask("version") == "version three")
    let (code, text) = try stale.luci(["wait", "\(stale.program.pid)", "--fresh", "--timeout", "1"])
    #expect(code == 1 && text.contains("detection is impossible"), "\(text)")
    #expect(try stale.status().stale == "unknown")
    #expect(
      warnings(stale) == [
        "ld-luci.so: warning: outdated code is not detected: userfaultfd: Operation not permitted"
      ])
    try await stale.end()
  }

  private func attach(_ pid: pid_t, _ commands: [String] = ["continue"]) async throws -> RunningProgram {
    let script = workspace.unused("commands")
    let all = ["set debuginfod enabled off", "set breakpoint pending on"] + commands
    try workspace.replace(script, content: Data((all.joined(separator: "\n") + "\n").utf8))
    return try RunningProgram(in: workspace, ["gdb", "-nx", "-batch", "-x", script, "-p", "\(pid)"])
  }

  private func followed(_ stale: StaleProgram, by gdb: RunningProgram) async throws {
    try await gdb.wait(for: "the debugger") { _ in
      let status = try String(contentsOfFile: "/proc/\(stale.program.pid)/status", encoding: .utf8)
      return status.contains("TracerPid:\t0\n") || status.contains("State:\tt") ? nil : true
    }
  }

  /// The recorder is played by gdb: rr itself needs processor counters that few machines for tests have.
  @Test(.enabled(if: StaleLimitTests.hasDebugger, "gdb is not installed"))
  func offUnderRecorder() async throws {
    let stale = try await StaleProgram(
      in: workspace, environment: StaleProgram.quick.merging(["RUNNING_UNDER_RR": "1"]) { $1 })
    let gdb = try await attach(stale.program.pid)
    try await followed(stale, by: gdb)
    try await stale.update()
    try await stale.program.wait(for: "the warning") { $0.errors.isEmpty ? nil : true }
    #expect(try await stale.ask("call") == "callback one")
    try await stale.update(to: "three")
    #expect(try await stale.ask("version") == "version three")
    #expect(try stale.status().stale == "unknown")
    #expect(warnings(stale) == ["ld-luci.so: warning: outdated code is not detected: rr records the process"])
    try await stale.end()
    _ = try await gdb.end()
  }

  /// Without a tracer the variable means nothing: children of a recorded program may have lost it.
  @Test func variableOfTheRecorderAlone() async throws {
    let stale = try await StaleProgram(
      in: workspace, environment: StaleProgram.quick.merging(["RUNNING_UNDER_RR": "1"]) { $1 })
    try await stale.update()
    try await stale.textIsAway()
    try await stale.end()
  }

  /// While a debugger is there nothing is taken away, and afterwards it is.
  @Test(.enabled(if: StaleLimitTests.hasDebugger, "gdb is not installed"))
  func debuggerHoldsItUp() async throws {
    let stale = try await StaleProgram(in: workspace)
    let gdb = try await attach(stale.program.pid)
    try await followed(stale, by: gdb)
    try await stale.update()
    try await stale.program.wait(for: "what it waits for") { _ in
      try stale.luci(["status", "\(stale.program.pid)"]).output.contains("a debugger follows the process")
        ? true : nil
    }
    #expect(try await stale.ask("call") == "callback one")
    #expect(try stale.status().objects.first?.outdated?.first?.isAway == false)
    // gdb passes that on to the program, sees it stop, and leaves it as it found it.
    gdb.signal(SIGINT)
    _ = try await gdb.end()
    try await stale.textIsAway()
    #expect(try await stale.ask("call") == "callback one")
    _ = try await stale.reported("stale_callback")
    #expect(warnings(stale).isEmpty)
    try await stale.end()
  }

  /// As docs/gdb.md says: a pause puts all text back, so that a breakpoint can be put into old code.
  @Test(.enabled(if: StaleLimitTests.hasDebugger, "gdb is not installed"))
  func breakpointInOldCode() async throws {
    let stale = try await StaleProgram(in: workspace)
    try await stale.update()
    try await stale.textIsAway()
    let pid = "\(stale.program.pid)"
    #expect(try stale.luci(["pause", pid]).status == 0)
    let gdb = try await attach(stale.program.pid, ["break *kept->callback", "continue", "bt 1", "delete", "detach"])
    try await gdb.wait(for: "the breakpoint") { $0.output.contains("Breakpoint 1 at") ? true : nil }
    #expect(try await stale.ask("call") == "callback one")
    #expect(try await gdb.end() == .exit(0))
    #expect(gdb.seen.output.contains("hit Breakpoint 1"), "\(gdb.seen)")
    #expect(try stale.luci(["resume", pid]).status == 0)
    try await stale.textIsAway()
    #expect(try await stale.ask("call") == "callback one")
    _ = try await stale.reported("stale_callback")
    try await stale.end()
  }

  /// A page that the program, or a debugger, has written to is not taken away: what was written would be lost. The
  /// version can't be called unused then.
  @Test func codeThatWasChanged() async throws {
    let stale = try await StaleProgram(in: workspace)
    try await stale.update()
    try await stale.textIsAway()
    #expect(try await stale.ask("patch") == "patched")
    try await stale.program.wait(for: "the obstacle") { _ in
      let (_, text) = try stale.luci(["status", "\(stale.program.pid)"])
      return text.contains("its code was changed in memory") ? true : nil
    }
    for _ in 0..<10 { #expect(try await stale.ask("call") == "callback patched") }
    #expect(try stale.status().stale != "no")
    try await stale.end()
  }

  /// After a change of its ids a process is no longer its user's to look at (prctl(2), PR_SET_DUMPABLE), for itself
  /// neither.
  @Test func processThatHasChangedItsUser() async throws {
    try #require(geteuid() == 0, "needs root to become somebody else")
    chmod(workspace.path, 0o755)
    let stale = try await StaleProgram(in: workspace)
    #expect(try await stale.ask("drop") == "dropped")
    try await stale.update()
    #expect(try await stale.ask("call") == "callback one")
    #expect(try await stale.ask("version") == "version two")
    try await stale.program.wait(for: "the warning") { $0.errors.isEmpty ? nil : true }
    try await stale.update(to: "three")
    #expect(try await stale.ask("version") == "version three")
    #expect(try stale.status().stale == "unknown")
    #expect(warnings(stale) == ["ld-luci.so: warning: outdated code can't be watched: Permission denied"])
    try await stale.end()
  }
}
