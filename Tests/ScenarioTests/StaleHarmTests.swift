import Foundation
import Testing

/// Taking text away harms nobody, and what is said about it is true.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(3)))
struct StaleHarmTests {
  let workspace = try! Workspace()
  static let settings = ["LD_DETECT_OUTDATED": "userfaultfd", "LD_DETECT_OUTDATED_DELAY": "0", "LD_RETIRE_TIME": "1"]

  /// Four pages of code under eight threads, taken away a thousand times; each result is checked.
  @Test func eightThreadsHammering() async throws {
    try await workspace.library("libhammer.so", "hammer-lib.c")
    try await workspace.library("two/libhammer.so", "hammer-lib.c", flags: ["-DVERSION=\"two\""])
    let subject = Subject.compiled(in: workspace, "hammer.c", name: "hammer", flags: ["-lhammer", "-pthread"])
    let program = try await subject.start(.direct, ["8"], environment: Self.settings, status: true)
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

  /// Updates and calls of old code at random; the code itself logs when it runs. What the process says about a
  /// version being unused is compared with that log.
  @Test(arguments: [1, 2, 3])
  func neverWronglyFresh(seed: Int) async throws {
    try await workspace.library("liboracle.so", "oracle-lib.c")
    let generations = 6
    for generation in 1..<generations {
      try await workspace.library(
        "\(generation)/liboracle.so", "oracle-lib.c", flags: ["-DGENERATION=\(generation)"])
    }
    let subject = Subject.compiled(in: workspace, "oracle.c", name: "oracle", flags: ["-loracle"])
    let program = try await subject.start(.direct, ["\(seed)"], environment: Self.settings, status: true)
    try await program.wait(for: "the program") { $0.lines.contains("ready") ? true : nil }
    var numbers = RepeatableNumbers(seed: UInt64(seed))
    var statements = 0
    for generation in 1..<generations {
      try workspace.replace(
        workspace.file("liboracle.so"), with: workspace.file("\(generation)/liboracle.so"))
      try await program.wait(for: "update \(generation)") { seen in
        seen.updates(of: "liboracle.so") >= generation ? true : nil
      }
      let end = ContinuousClock.now + .milliseconds(Int.random(in: 500..<4000, using: &numbers))
      while ContinuousClock.now < end { statements += try await check(program) }
    }
    #expect(statements > 20, "the process said hardly anything")
    #expect(try await program.end() == .exit(0))
  }

  /// One look; returns how many statements it made that could be compared.
  private func check(_ program: RunningProgram) async throws -> Int {
    let status = try Luci.status(of: program.pid)
    let before = program.seen.lines.count
    try program.send("?\n")
    let line = try await program.wait(for: "the log") { $0.lines.count > before ? $0.lines[before] : nil }
    var last: [Int: Int] = [:]
    for word in line.split(separator: " ").dropFirst() {
      let parts = word.split(separator: ":").compactMap { Int($0) }
      last[parts[0]] = parts[1]
    }
    var statements = 0
    for old in status.objects.first?.outdated ?? [] {
      guard let unused = old.unused else { continue }
      statements += 1
      // Version numbers are those of the generations, since no file comes twice.
      guard let use = last[old.version - 1] else { continue }
      let since = status.clock - unused * 1_000_000
      #expect(!(use > since && use < status.clock), "version \(old.version) ran \(use - since) ns after \(since)")
    }
    return statements
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
