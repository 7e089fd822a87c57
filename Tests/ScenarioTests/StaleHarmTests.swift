import Foundation
import Testing

/// Taking text away harms nobody, and what is said about it is true.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct StaleHarmTests {
  let workspace = try! Workspace()
  static let settings = ["LD_DETECT_OUTDATED": "userfaultfd", "LD_DETECT_OUTDATED_DELAY": "0", "LD_RETIRE_TIME": "1"]

  /// Four pages of code under eight threads, taken away a thousand times; each result is checked.
  @Test(arguments: [false, true])
  func eightThreadsHammering(isUnprivileged: Bool) async throws {
    try #require(!isUnprivileged || geteuid() == 0, "needs root to become somebody else")
    try await workspace.library("libhammer.so", "hammer-lib.c")
    try await workspace.library("two/libhammer.so", "hammer-lib.c", flags: ["-DVERSION=\"two\""])
    let subject = Subject.compiled(in: workspace, "hammer.c", name: "hammer", flags: ["-lhammer", "-pthread"])
    let program: RunningProgram
    if isUnprivileged {
      let command = try await subject.command(.direct)
      chown(workspace.path, 65534, 65534)
      program = try RunningProgram(
        in: workspace, StaleProgram.asNobody + command + ["8"], environment: Self.settings, status: true)
    } else {
      program = try await subject.start(.direct, ["8"], environment: Self.settings, status: true)
    }
    try await program.wait(for: "version one") { $0.lines.contains("version one") ? true : nil }
    try workspace.replace(workspace.file("libhammer.so"), with: workspace.file("two/libhammer.so"))
    var uses = 0
    try await program.wait(for: "a thousand uses", atMost: .seconds(150)) { seen in
      uses = try Luci.status(of: program.pid).objects.first?.outdated?.first?.uses ?? 0
      return uses >= 1000 ? true : nil
    }
    try program.send("\n")
    try await program.wait(for: "version two") { $0.lines.contains("version two") ? true : nil }
    #expect(try await program.end() == .exit(0))
    #expect(program.seen.lines.last == "right", "\(program.seen)")
  }

  /// The frame that an exception passes, and its clean-up, are in text that is away.
  @Test func exceptionThroughOldCode() async throws {
    try await workspace.library("libthrowing.so", "throwing-stale-lib.cpp")
    try await workspace.library("two/libthrowing.so", "throwing-stale-lib.cpp", flags: ["-DVERSION=2"])
    let subject = Subject.compiled(in: workspace, "throwing-stale.cpp", name: "throwing", flags: ["-lthrowing"])
    let program = try await subject.start(.direct, environment: Self.settings, status: true)
    for round in 1...3 {
      try await program.wait(for: "round \(round)") { seen in
        seen.lines.count { $0 == "inside" } == round ? true : nil
      }
      if round == 1 {
        try workspace.replace(workspace.file("libthrowing.so"), with: workspace.file("two/libthrowing.so"))
        try await program.wait(for: "the update") { $0.updates(of: "libthrowing.so") == 1 ? true : nil }
      }
      try await program.wait(for: "old text to be away") { _ in
        try Luci.status(of: program.pid).objects.first { $0.object == "libthrowing.so" }?.outdated?.first?.isAway
          == true
          ? true : nil
      }
      try program.send("\n")
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(
      program.seen.lines.filter { $0.hasPrefix("thrown") }.map(String.init) == (1...3).map { "thrown, cleaned \($0)" }
    )
    #expect(program.seen.status.contains { $0.reason == "reusing outdated code" })
  }
}
