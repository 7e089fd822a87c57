import Foundation
import Testing

/// A table of functions whose address the program has had from the start, and whose initial content is another one in
/// the new version.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct InitialPointerTests {
  static let name = "libmethods.so"
  let workspace = try! Workspace()

  private func library(_ version: Int, at path: String) async throws -> String {
    try await workspace.library(path, "methods-lib.c", flags: ["-O2", "-s", "-DVERSION=\(version)"])
  }

  private func start(_ start: Start, environment: [String: String] = [:]) async throws -> RunningProgram {
    _ = try await library(1, at: Self.name)
    let subject = Subject.compiled(
      in: workspace, "methods.c", name: "methods", flags: ["-O2", "-lmethods", "-pthread"])
    let program = try await subject.start(
      start, environment: ["LD_SETTLE_TIME": "5"].merging(environment) { $1 }, status: true)
    try await program.wait(for: "the table") { $0.lines.contains("ready") ? true : nil }
    return program
  }

  private func look(_ program: RunningProgram, _ request: String = "look") async throws -> Substring {
    let count = program.seen.lines.count
    try program.send(request + "\n")
    return try await program.wait(for: "a look") { $0.lines.count > count ? $0.lines.last : nil }
  }

  private func update(_ program: RunningProgram, to file: String) async throws {
    let before = program.seen.updates(of: Self.name)
    try workspace.replace(workspace.file(Self.name), with: file)
    try await program.wait(for: "the update") { $0.updates(of: Self.name) > before ? true : nil }
  }

  private func files() async throws -> (one: String, two: String) {
    (try await library(1, at: "versions/1/\(Self.name)"), try await library(2, at: "versions/2/\(Self.name)"))
  }

  @Test(arguments: Start.luci)
  func tableFollows(start: Start) async throws {
    let files = try await files()
    let program = try await self.start(start)
    #expect(try await look(program) == "one, first 2, second 10, the same table")
    for _ in 0..<3 {
      try await update(program, to: files.two)
      #expect(try await look(program) == "two, first 3, second -1, the same table")
      try await update(program, to: files.one)
      #expect(try await look(program) == "one, first 2, second 10, the same table")
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// What the program put there is its own; the rest follows.
  @Test(arguments: Start.luci)
  func whatTheProgramChangedStays(start: Start) async throws {
    let files = try await files()
    let program = try await self.start(start)
    #expect(try await look(program, "own") == "one, first 2, second 1000, the same table")
    try await update(program, to: files.two)
    #expect(try await look(program) == "two, first 3, second 1990, the same table")
    try await update(program, to: files.one)
    #expect(try await look(program) == "one, first 2, second 1000, the same table")
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// Unless the user wants it otherwise.
  @Test func whatTheProgramChangedIsOverwritten() async throws {
    let files = try await files()
    let program = try await start(.direct, environment: ["LD_RELOCATE_CHECK": "0"])
    #expect(try await look(program, "own") == "one, first 2, second 1000, the same table")
    try await update(program, to: files.two)
    #expect(try await look(program) == "two, first 3, second -1, the same table")
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// A program that writes to the table while updates are committed loses none of its writes.
  @Test func writesAreNotLost() async throws {
    let files = try await files()
    let program = try await start(.direct)
    _ = try await look(program, "toggle")
    for step in 0..<60 { try await update(program, to: step % 2 == 0 ? files.two : files.one) }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.lines.last == "lost 0, toggled", "\(program.seen)")
  }
}
