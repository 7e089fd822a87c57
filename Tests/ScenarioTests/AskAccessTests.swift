import Foundation
import Testing

/// Who may ask a process, and what happens to those that ask or answer something else than they should.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct AskAccessTests {
  let workspace = try! Workspace()

  @Test func othersMayNotAsk() async throws {
    try #require(geteuid() == 0, "needs root to become somebody else")
    chown(workspace.path, 65534, 65534)
    let tool = workspace.file("luci")
    try await workspace.install(tool, from: Luci.tool)
    func luci(as user: Int, _ arguments: [String]) async throws -> (Ending, Seen) {
      let command = ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", "--", tool]
      chmod(workspace.path, 0o777)
      let run = try RunningProgram(in: workspace, command + arguments)
      return (try await run.end(), run.seen)
    }
    let theirs = try await StaleProgram(in: workspace, environment: AskTests.off, prefix: StaleProgram.asNobody)
    try await theirs.answers()
    let pid = "\(theirs.program.pid)"
    #expect(try await luci(as: 65534, ["status", pid]).0 == .exit(0))
    #expect(try theirs.luci(["status", pid]).status == 0, "root may")
    for command in [
      ["status", pid], ["pause", pid], ["undo", pid, StaleProgram.name], ["log", pid], ["wait", pid, "--fresh"],
      ["detect", pid, "on"], ["check", pid, theirs.library],
    ] {
      let (ending, seen) = try await luci(as: 65533, command)
      #expect(ending == .exit(2))
      #expect(seen.errors == "luci: process \(pid) may be asked by its user and root only\n")
    }
    let (_, list) = try await luci(as: 65533, ["ps"])
    #expect(!list.output.contains(pid + " "), "\(list)")
    #expect(try !theirs.status().paused)
    try await theirs.end()
  }

  /// Without LD_CONTROL nobody is answered.
  @Test func switchedOff() async throws {
    let program = try await AskTests.program(in: workspace, ["LD_CONTROL": "0"])
    let (code, text) = try program.luci(["status", "\(program.program.pid)"])
    #expect(code == 2 && text.contains("does not run under Luci, or does not answer"), "\(text)")
    try await program.end()
  }

  /// A process that only pretends to run under Luci shows files that it may not write to: whoever asks with more rights
  /// does not write to them either.
  @Test(arguments: ["file", "fifo", "wrong-pipe"])
  func pretender(kind: String) async throws {
    let victim = workspace.file("victim")
    if kind == "fifo" {
      mkfifo(victim, 0o600)
    } else {
      try Data("precious".utf8).write(to: URL(fileURLWithPath: victim))
    }
    let keeper = kind == "fifo" ? open(victim, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1
    defer { if keeper >= 0 { close(keeper) } }
    let subject = Subject.compiled(in: workspace, "pretender.c", name: "pretender")
    let program = try await subject.start(.system, [kind, victim])
    try await program.wait(for: "the program") { $0.lines.contains("ready") ? true : nil }
    for command in ["status", "pause"] {
      #expect(try Luci.run([command, "\(program.pid)", "--patience", "0.3"]).status == 2)
    }
    if kind == "fifo" {
      var byte: UInt8 = 0
      #expect(read(keeper, &byte, 1) == -1 && errno == EAGAIN, "something was written into the FIFO")
    } else {
      #expect(try workspace.contents(victim) == Data("precious".utf8))
    }
    #expect(try await program.end() == .exit(0))
  }

  /// What a process answers is not trusted: neither its length, nor its form, nor what a terminal would obey.
  @Test func liar() async throws {
    let escape = "\u{1b}"
    let lies = [
      "99999999 {}", "9223372036854775807 {}", "-1 {}", "0 ", "2 {}", "4 null", "2 []", "5 {\"a\":",
      "12 \(escape)[31mhello",
      "30 {\"error\":\"\(#"\u001b"#)[31mred\"}      ",
      "400 {\"pid\":1,\"program\":\"\(#"\u001b"#)[31m\",\"time\":\"\",\"paused\":false,\"detection\":\"\",\"stale\":\"no\","
        + "\"objects\":[]}" + String(repeating: " ", count: 400),
    ]
    let answers = workspace.file("answers")
    try Data((lies.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: answers))
    let program = try await Subject.compiled(in: workspace, "pretender.c", name: "pretender")
      .start(.system, ["liar", answers])
    try await program.wait(for: "the program") { $0.lines.contains("ready") ? true : nil }
    for (index, lie) in lies.enumerated() {
      let (code, text) = try Luci.run(["status", "\(program.pid)", "--patience", "0.5"])
      #expect(code == (index == lies.count - 1 ? 0 : 2), "\(lie): \(text)")
      #expect(!text.contains(escape) && !text.isEmpty, "\(lie)")
    }
    #expect(try await program.end() == .exit(0))
  }

  /// Askers take turns, and one that is killed meanwhile is in nobody's way.
  @Test func manyAsk() async throws {
    let program = try await AskTests.program(in: workspace)
    let pid = "\(program.program.pid)"
    let loop = "for i in 0 1 2 3 4 5 6 7 8 9; do \"$0\" status \"$1\" --json --patience 60 >/dev/null || exit 1; done"
    let askers = try (0..<5).map { _ in
      try RunningProgram(in: workspace, ["sh", "-c", loop, Luci.tool, pid])
    }
    for round in 0..<10 {
      let killed = try RunningProgram(in: workspace, [Luci.tool, "status", pid])
      if round % 2 == 0 { killed.signal(SIGKILL) }
      try await killed.end()
    }
    for asker in askers { #expect(try await asker.end() == .exit(0), "\(asker.seen)") }
    try await program.end()
  }

  /// Whatever is written into the pipe: what is no question is thrown away, and the next question is answered.
  @Test func rubbishInThePipe() async throws {
    let program = try await AskTests.program(in: workspace)
    let tasks = "/proc/\(program.program.pid)/task"
    let pipes = try FileManager.default.contentsOfDirectory(atPath: tasks).flatMap { thread -> [String] in
      let directory = "\(tasks)/\(thread)/fd"
      let name = try String(contentsOfFile: "\(tasks)/\(thread)/comm", encoding: .utf8)
      guard name == "ld-luci\n" else { return [] }
      return try FileManager.default.contentsOfDirectory(atPath: directory).filter {
        try FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\($0)").hasPrefix("pipe:")
      }.map { "\(directory)/\($0)" }
    }
    #expect(!pipes.isEmpty)
    var numbers = RepeatableNumbers(seed: 6)
    for round in 0..<60 {
      var rubbish: [UInt8] = (0..<Int.random(in: 1..<3000, using: &numbers)).map { _ in
        round % 3 == 0 ? 0 : UInt8.random(in: 0...255, using: &numbers) & (round % 3 == 1 ? 255 : 1)
      }
      // What was begun must not become a part of the next question.
      rubbish += [1, 0, 0]
      for pipe in pipes {
        let descriptor = open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { continue }
        _ = rubbish.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
      }
      #expect(try program.status().stale == "no")
    }
    try await program.end()
  }
}
