import Foundation
import Testing

/// Settings that say what is looked at, and what is written about it, where a running program shows the difference.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct WatchSettingTests {
  let workspace = try! Workspace()

  /// The same content is no news, unless it is to be.
  @Test(arguments: ["0", "1"])
  func skipIdentical(value: String) async throws {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(.direct, environment: ["LD_SKIP_IDENTICAL": value])
    try workspace.replace(counter.library, content: workspace.contents(counter.library))
    let line = try await program.wait(for: "a line") { $0.status.first { !$0.isLoad } }
    #expect(value == "1" ? line.reason == "new version has same hash" : line.isUpdate, "\(program.seen)")
    try await program.countsOn()
    try await counter.finish(program)
  }

  @Test(arguments: ["0", "1"])
  func trustFiles(value: String) async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    chmod(two, 0o777)
    let program = try await counter.start(.direct, environment: ["LD_TRUST_FILES": value])
    try workspace.rename(two, over: counter.library)
    let line = try await program.wait(for: "a line") { $0.status.first { !$0.isLoad } }
    #expect(value == "1" ? line.isUpdate : line.isRefusal, "\(program.seen)")
    try await counter.finish(program)
  }

  @Test(arguments: ["0", "1"])
  func logFileAppend(value: String) async throws {
    let counter = try await Counter(in: workspace)
    let log = workspace.file("log")
    try Data("before\n".utf8).write(to: URL(fileURLWithPath: log))
    let program = try await counter.start(
      .direct, environment: ["LD_LOGFILE": log, "LD_LOGFILE_APPEND": value, "LD_LOGLEVEL": "6"])
    try await counter.finish(program)
    let text = String(decoding: try workspace.contents(log), as: UTF8.self)
    #expect(text.hasPrefix("before\n") == (value == "1"))
    #expect(text.contains(Counter.name), "\(text)")
    #expect(program.seen.errors.isEmpty)
  }

  /// Seconds since the start, or the time of day.
  @Test(arguments: ["0", "1"])
  func logTime(value: String) async throws {
    let counter = try await Counter(in: workspace)
    let log = workspace.file("log")
    let program = try await counter.start(
      .direct, environment: ["LD_LOGFILE": log, "LD_LOGTIME_ABS": value, "LD_LOGLEVEL": "6"])
    try await counter.finish(program)
    let text = String(decoding: try workspace.contents(log), as: UTF8.self)
    let line = try #require(text.split(separator: "\n").first)
    let isAbsolute = line.contains(#/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/#)
    #expect(isAbsolute == (value == "1"), "\(line)")
  }

  /// A program that ends before it has begun has told nothing, unless events are written at once.
  @Test(arguments: ["0", "1"])
  func earlyStatusInfo(value: String) async throws {
    try await workspace.library("libplain.so", "plain.c")
    let path = try await workspace.compile("uses-plain", "uses-plain.c", flags: ["-lplain"])
    // A symbol is missing: start-up fails later.
    try await workspace.library("libplain.so", "plain.c", flags: ["-DWITHOUT_EXTRA"])
    let program = try RunningProgram(
      in: workspace, [try #require(Luci.loader), path],
      environment: [
        "LD_EARLY_STATUS_INFO": value, "LD_BIND_NOW": "1", "LD_PRELOAD": workspace.file("missing.so"),
      ], status: true)
    #expect(try await program.end() != .exit(0))
    let isTold = program.seen.status.contains { $0.reason == "preload was unsuccessful" }
    #expect(isTold == (value == "1"), "\(program.seen)")
  }
}
