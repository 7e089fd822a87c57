import Foundation
import Testing

/// The command `luci` as its users meet it.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct AskTests {
  let workspace = try! Workspace()
  static let name = StaleProgram.name
  /// Fresh soon, and nothing to look at.
  static let off = ["LD_DETECT_OUTDATED": "disabled"]

  private func program(_ environment: [String: String] = AskTests.off) async throws -> StaleProgram {
    try await Self.program(in: workspace, environment)
  }

  static func program(
    in workspace: Workspace, _ environment: [String: String] = AskTests.off
  ) async throws -> StaleProgram {
    let program = try await StaleProgram(in: workspace, environment: environment)
    if environment["LD_CONTROL"] == nil { try await program.answers() }
    return program
  }

  @Test func pausedProcessKeepsItsVersion() async throws {
    let paused = try await program()
    // Sees the same changes, and tells when they have been looked at.
    let witness = try RunningProgram(
      in: workspace, paused.program.command, environment: ["LD_STATUS_FORMAT": "json"], status: true)
    try await witness.wait(for: "the program") { $0.lines.contains("ready one") ? true : nil }
    let pid = "\(paused.program.pid)"
    #expect(try paused.luci(["pause", pid]) == (0, ""))
    try workspace.replace(paused.library, with: workspace.file("two/" + Self.name))
    try await witness.wait(for: "the witness's update") { $0.statusText.contains("\"updated\"") ? true : nil }
    let (code, text) = try paused.luci(["status", pid])
    #expect(code == 0 && text.contains("; paused\n"), "\(text)")
    #expect(try paused.luci(["ps"]).output.contains("stale (paused)"))
    #expect(try await paused.ask("version") == "version one")
    #expect(!paused.events.contains { $0.code == "updated" })
    #expect(try paused.luci(["resume", pid]) == (0, ""))
    try await paused.program.wait(for: "the update") { _ in
      paused.events.contains { $0.code == "updated" } ? true : nil
    }
    #expect(try await paused.ask("version") == "version two")
    #expect(!(try paused.status().paused))
    try await paused.end()
  }

  /// The text that was away comes back, and is not missed by anybody.
  @Test func pauseWhileTextIsAway() async throws {
    let stale = try await program(StaleProgram.quick)
    try await stale.update()
    try await stale.textIsAway()
    let pid = "\(stale.program.pid)"
    #expect(try stale.luci(["pause", pid]).status == 0)
    #expect(try await stale.ask("call") == "callback one")
    #expect(try stale.status().stale == "unknown", "nobody looks")
    #expect(stale.uses.isEmpty)
    #expect(try stale.luci(["resume", pid]).status == 0)
    try await stale.textIsAway()
    #expect(try await stale.ask("call") == "callback one")
    _ = try await stale.reported("stale_callback")
    try await stale.end()
  }

  @Test func undoAndItsLimits() async throws {
    let program = try await program()
    let pid = "\(program.program.pid)"
    let none = try program.luci(["undo", pid, Self.name])
    #expect(none.status == 2 && none.output == "luci: there is no version before this one\n", "\(none)")
    try await program.update()
    #expect(try program.luci(["undo", pid, "libnone.so"]).output == "luci: no such object: libnone.so\n")
    #expect(try program.luci(["undo", pid, program.library]) == (0, ""))
    #expect(try await program.ask("version") == "version one")
    // The file stays what it is; by name or path, and there and back again.
    #expect(try workspace.contents(program.library) == workspace.contents(workspace.file("two/" + Self.name)))
    #expect(try program.status().objects.first.map { [$0.version, $0.versions] } == [1, 2])
    #expect(try program.luci(["undo", pid, Self.name]) == (0, ""))
    #expect(try await program.ask("version") == "version two")
    #expect(try program.luci(["undo", pid, Self.name]) == (0, ""))
    // What comes next is an update again.
    try await program.update(to: "three")
    #expect(try await program.ask("version") == "version three")
    #expect(try program.luci(["undo", pid, Self.name]).status == 0)
    #expect(try await program.ask("version") == "version one")
    try await program.end()
  }

  /// Hooks take the state back as they took it over.
  @Test func undoAndCheckWithHooks() async throws {
    let library = "libhooked.so"
    let header = "-I" + Luci.root + "/include"
    let one = try await workspace.library("one/" + library, "hooked.c", flags: ["-DVERSION=\"one\"", header])
    let two = try await workspace.library(
      "two/" + library, "hooked.c", flags: ["-DVERSION=\"two\"", "-DTABLE", header])
    let bare = try await workspace.library(
      "bare/" + library, "hooked.c", flags: ["-DVERSION=\"bare\"", "-DTABLE", "-DWITHOUT_HOOKS", header])
    try workspace.replace(workspace.file(library), with: one)
    let subject = Subject.compiled(
      in: workspace, "hooking.c", name: "hooking", flags: ["-lhooked", "-pthread", "-rdynamic", header])
    let program = try await subject.start(.direct, ["0"], status: true)
    try await program.wait(for: "the program") { $0.lines.first }
    func ask(_ command: String) async throws -> String {
      let count = program.seen.lines.count
      try program.send(command + "\n")
      return try await program.wait(for: "an answer to \(command)") {
        $0.lines.count > count ? String($0.lines[count]) : nil
      }
    }
    let pid = "\(program.pid)"
    #expect(try Luci.run(["check", pid, two]).status == 0, "hooks take its state over")
    #expect(try Luci.run(["check", pid, bare]).status == 1)
    #expect(try await ask("call") == "one 1, variable 1")
    try workspace.replace(workspace.file(library), with: two)
    // Its constructor needs a thread of the program: the call after the update has been prepared makes it.
    try await program.wait(for: "the update") { seen in
      if seen.updates(of: library) == 1 { return true }
      try program.send("call\n")
      return nil
    }
    try program.send("make\n")
    try await program.wait(for: "quiet") { $0.lines.last == "made" ? true : nil }
    let before = try #require(Int(try await ask("call").split(separator: " ")[1].dropLast()))
    let (code, text) = try Luci.run(["undo", pid, library])
    // Either a thread of the program has to come by, or it did while the answer was made.
    #expect(code == 1 && text == "libhooked.so: the way back waits, as `luci status` tells\n", "\(code) \(text)")
    #expect(try Luci.run(["status", pid]).output.contains("an update waits for a thread of the program"))
    var last = ""
    try await program.wait(for: "the way back") { seen in
      if seen.updates(of: library) == 2 { return true }
      try program.send("call\n")
      return nil
    }
    try program.send("make\n")
    let lines = program.seen.lines.count
    try await program.wait(for: "quiet") { $0.lines.count >= lines && $0.lines.last == "made" ? true : nil }
    last = try await ask("call")
    #expect(last.hasPrefix("one "), "\(last)")
    #expect(try #require(Int(last.split(separator: " ")[1].dropLast())) > before, "the state went over: \(last)")
    #expect(try await program.end() == .exit(0))
  }

  @Test func checkChangesNothing() async throws {
    let program = try await program()
    let pid = "\(program.program.pid)"
    let good = try program.luci(["check", pid, workspace.file("two/" + Self.name)])
    #expect(good.status == 0 && good.output.hasPrefix("applicable\n"), "\(good)")
    let same = try program.luci(["check", pid, program.library])
    #expect(same == (0, "same content as what runs\n"))
    try await workspace.library(
      "gone/" + Self.name, "stale-lib.c", flags: ["-DVERSION=\"gone\"", "-Dstale_around=stale_elsewhere"])
    let bad = try program.luci(["check", pid, workspace.file("gone/" + Self.name)])
    #expect(bad.status == 1 && bad.output.hasPrefix("refused\n") && bad.output.contains("stale_around"), "\(bad)")
    let json = try program.luci(["check", pid, workspace.file("gone/" + Self.name), "--json"])
    #expect(json.status == 1 && json.output.contains("\"verdict\" : \"refused\""))
    for wrong in [
      [pid, workspace.file("none")], [pid, workspace.path], [pid, "/bin/true"],
      [pid, workspace.file("two/" + Self.name), "--object", "libnone.so"], [pid, "/dev/zero", "--object", Self.name],
      [pid, workspace.file("stale"), "--object", String(repeating: "x", count: 5000)],
    ] {
      let (code, text) = try program.luci(["check"] + wrong)
      #expect(code == 2 && text.hasPrefix("luci: "), "\(wrong): \(text)")
    }
    #expect(try await program.ask("version") == "version one")
    #expect(!program.events.contains { $0.code == "updated" })
    try await program.end()
  }

  @Test func logOfEvents() async throws {
    let program = try await program()
    let pid = "\(program.program.pid)"
    #expect(try program.luci(["log", pid]) == (0, ""))
    try await program.update()
    try workspace.replace(program.library, content: Data("no library".utf8))
    try await program.program.wait(for: "the refusal") { _ in
      program.events.contains { $0.code != "updated" && $0.code != "loaded" } ? true : nil
    }
    let (code, text) = try program.luci(["log", pid])
    let lines = text.split(separator: "\n")
    #expect(code == 0 && lines.count == 2, "\(text)")
    #expect(lines.first?.contains("SUCCESS (updated to new version) libstale.so") == true, "\(text)")
    let json = try program.luci(["log", pid, "--json"]).output.split(separator: "\n")
    #expect(json.map { $0.contains("\"event\":\"SUCCESS\"") } == [true, false], "\(json)")
    // Something needs attention: the file that is there was not taken.
    let status = try program.luci(["status", pid, Self.name])
    #expect(status.status == 1 && status.output.contains("refused: "), "\(status)")
    try await program.end()
  }

  @Test func statusInItsForms() async throws {
    let program = try await program(StaleProgram.quick)
    let pid = "\(program.program.pid)"
    let fresh = try program.luci(["status", pid])
    #expect(fresh.status == 0 && fresh.output.contains("/stale, process \(pid): only fresh code runs\n"), "\(fresh)")
    try await program.update()
    try await program.textIsAway()
    #expect(try await program.ask("call") == "callback one")
    _ = try await program.reported("stale_callback")
    let stale = try program.luci(["status", pid])
    #expect(stale.status == 1 && stale.output.contains("version 1 in-use (stale_callback)"), "\(stale)")
    let list = try program.luci(["ps"])
    #expect(list.status == 1, "\(list)")
    let lines = list.output.split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix(pid + " ") && $0.contains("  yes ") }, "\(list)")
    let json = try program.luci(["ps", "--json"])
    let all = try JSONDecoder().decode([StaleProgram.Status].self, from: Data(json.output.utf8))
    #expect(json.status == 1 && all.contains { $0.pid == program.program.pid && $0.stale == "yes" })
    for command in [["ps"], ["status", pid]] {
      let metrics = try program.luci(command + ["--openmetrics"])
      #expect(metrics.status == 1 && metrics.output.hasSuffix("# EOF\n"))
      #expect(
        metrics.output.contains("luci_object_version{pid=\"\(pid)\",program=\"\(workspace.file("stale"))\""),
        "\(metrics.output)")
      #expect(metrics.output.contains("luci_process_stale=\"yes\"} 1\n"))
    }
    try await program.end()
  }

  @Test func waitHasItsLimit() async throws {
    let program = try await program(StaleProgram.quick)
    let pid = "\(program.program.pid)"
    #expect(try program.luci(["wait", pid, "--fresh"]).status == 0)
    #expect(try await program.ask("loop") == "looping")
    try await program.update()
    _ = try await program.reported("stale_loop")
    let late = try program.luci(["wait", pid, "--fresh", "--timeout", "0.2"])
    #expect(late.status == 1 && late.output.contains("stale_loop"), "\(late)")
    // It ends while it is waited for.
    async let waiting = Task.detached { try Luci.run(["wait", pid, "--fresh", "--timeout", "50"]) }.value
    try await program.program.wait(for: "an answer") { _ in try program.status().stale == "yes" ? true : nil }
    program.program.signal(SIGKILL)
    #expect(try await waiting.status == 2)
  }

  @Test(arguments: [
    [], ["nothing"], ["status"], ["status", "x"], ["status", "0"], ["status", "-1"], ["status", "999999999"],
    ["ps", "--json", "--openmetrics"], ["wait", "1"], ["wait", "1", "--fresh", "--timeout", "soon"], ["undo", "1"],
    ["detect", "1", "maybe"], ["status", "1", "--patience", "0"],
  ])
  func wrongArguments(arguments: [String]) throws {
    let (code, text) = try Luci.run(arguments)
    // Without arguments it explains itself.
    #expect(code == (arguments.isEmpty ? 0 : 2), "\(text)")
    #expect(!text.isEmpty)
  }

  /// Descriptors, threads, working directory and umask are the program's own.
  @Test func theProgramIsNotTouched() async throws {
    let program = try await program()
    let pid = program.program.pid
    func state() throws -> [String] {
      let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").sorted()
      let directory = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
      return descriptors + [directory] + program.program.threads.sorted().map { "\($0)" }
    }
    let before = try state()
    for _ in 0..<20 {
      for command in ["status", "log", "pause", "resume"] {
        #expect(try program.luci([command, "\(pid)"]).status == 0)
      }
      _ = try program.luci(["check", "\(pid)", workspace.file("two/" + Self.name)])
    }
    #expect(try state() == before)
    #expect(before.allSatisfy { !$0.contains("ld-luci") })
    try await program.end()
  }
}
