import Foundation
import Testing

/// gdb finds all objects, in a loader without its symbol table too.
@Suite(
  .enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)),
  .enabled(if: Luci.exists("/usr/bin/gdb"), "gdb is not installed"), .timeLimit(.minutes(10)))
struct DebuggerTests {
  let workspace = try! Workspace()

  private func debug(_ command: [String]) async throws -> [Substring] {
    let script = workspace.file("commands")
    let lines = [
      "set debuginfod enabled off", "set breakpoint pending on", "break a_next", "run", "info sharedlibrary", "bt",
      "info symbol puts", "disable", "break puts", "continue", "info sharedlibrary", "bt", "continue",
    ]
    try workspace.replace(script, content: Data((lines.joined(separator: "\n") + "\n").utf8))
    let gdb = try RunningProgram(in: workspace, ["gdb", "-nx", "-batch", "-x", script, "--args"] + command)
    #expect(try await gdb.end() == .exit(0))
    return gdb.seen.lines
  }

  @Test(arguments: Start.luci)
  func findsEverything(start: Start) async throws {
    let loader = workspace.file("ld-luci.so")
    try await workspace.run("strip", ["-o", loader, try #require(Luci.loader)])
    let library = workspace.file("liba.so")
    try await workspace.compile("liba.so", "opening-lib.c", flags: ["-shared", "-fPIC", "-DNAME=a"])
    let interpreter = start == .interpreter ? ["-Wl,--dynamic-linker=" + loader] : []
    try await workspace.compile("debugged", "debugged.c", flags: ["-O0"] + interpreter)
    let program = workspace.file("debugged")
    let lines = try await debug((start == .direct ? [loader] : []) + [program, library])
    let shown = lines.joined(separator: "\n")
    /// gdb's name of a listed file and the start of its code.
    func listed(_ name: String) -> [Substring] { lines.filter { $0.hasPrefix("0x") && $0.hasSuffix(name) } }
    #expect(listed("/liba.so").count == 1, "\(shown)")
    #expect(listed("/libc.so.6").count == 2, "\(shown)")
    if start == .direct { #expect(listed("/debugged").count == 2, "\(shown)") }
    if start == .interpreter { #expect(listed("/ld-luci.so").count == 2, "\(shown)") }
    #expect(lines.contains { $0.hasPrefix("#0  a_next ()") }, "\(shown)")
    #expect(lines.contains { $0.hasPrefix("#1 ") && $0.contains(" in use (handle=") }, "\(shown)")
    #expect(lines.contains { $0.hasPrefix("#2 ") && $0.contains(" in main (argc=2") }, "\(shown)")
    #expect(lines.contains { $0.hasPrefix("puts in section .text of /") && $0.hasSuffix("/libc.so.6") }, "\(shown)")
    #expect(lines.contains { $0.hasPrefix("#1 ") && $0.contains(" in main (argc=2") }, "\(shown)")
    #expect(lines.contains { $0.contains("exited with code 01]") }, "\(shown)")
  }

  /// With LD_DEBUG=1 a debugger that comes after two updates has names in all three versions, although their files are
  /// gone: it stops in old and in new code.
  @Test(arguments: Start.luci, [false, true])
  func versionsHaveImages(start: Start, isOverwritten: Bool) async throws {
    let stale = try await StaleProgram(
      in: workspace, start: start, environment: StaleProgram.quick.merging(["LD_DEBUG": "1"]) { $1 })
    try await stale.update(to: "two")
    if isOverwritten {
      try await workspace.overwrite(
        stale.library, content: workspace.contents(workspace.file("three/" + StaleProgram.name)))
      try await stale.program.wait(for: "the update") { _ in
        stale.events.count { $0.code == "updated" } == 2 ? true : nil
      }
    } else {
      try await stale.update(to: "three")
    }
    let script = workspace.file("commands")
    let lines = [
      "set debuginfod enabled off", "info sharedlibrary", "break stale_callback", "info breakpoints", "continue",
      "bt",
      "info symbol $pc", "continue", "bt", "info symbol $pc", "kill",
    ]
    try workspace.replace(script, content: Data((lines.joined(separator: "\n") + "\n").utf8))
    let gdb = try RunningProgram(
      in: workspace, ["gdb", "-nx", "-batch", "-x", script, "-p", "\(stale.program.pid)"])
    // Both calls wait in the pipe until gdb lets the program go on.
    try await gdb.wait(for: "the breakpoint") { $0.lines.contains { $0.contains("stale_callback") } ? true : nil }
    try stale.program.send("call\nrenew\ncall\n")
    #expect(try await gdb.end() == .exit(0))
    let shown = gdb.seen.lines.joined(separator: "\n")
    #expect(gdb.seen.lines.count { $0.contains("/fd/") && $0.hasPrefix("0x") } == 3, "\(shown)")
    #expect(gdb.seen.lines.contains { $0.contains("3 locations") }, "\(shown)")
    #expect(gdb.seen.lines.count { $0.hasPrefix("#0 ") && $0.contains("stale_callback ()") } == 2, "\(shown)")
    #expect(gdb.seen.lines.count { $0.hasPrefix("#1 ") && $0.contains("main ()") } == 2, "\(shown)")
    let places = gdb.seen.lines.filter { $0.hasPrefix("stale_callback in section .text") }
    #expect(Set(places).count == 2, "old and new code: \(shown)")
  }
}
