import Foundation
import Testing

/// Whatever leads into a library that is replaced leads to the new version, however it got there; and old and new code
/// know each other.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct FollowingTests {
  let workspace = try! Workspace()

  private var library: String { workspace.file("libfollowing.so") }

  private func version(_ version: String, _ flags: [String] = []) async throws -> String {
    try await workspace.library(
      "versions/\(version)/libfollowing.so", "following-lib.cpp", flags: ["-DVERSION=\"\(version)\""] + flags)
  }

  private func start(_ start: Start) async throws -> RunningProgram {
    try await workspace.library("libfollowing.so", "following-lib.cpp", flags: ["-DVERSION=\"one\""])
    let subject = Subject.compiled(in: workspace, "following.cpp", name: "following", flags: ["-lfollowing"])
    return try await subject.start(start, [], status: true)
  }

  private func look(_ program: RunningProgram) async throws -> Substring {
    let count = program.seen.lines.count
    try program.send("look\n")
    return try await program.wait(for: "a look") { $0.lines.count > count ? $0.lines.last : nil }
  }

  private func update(_ program: RunningProgram, to file: String) async throws {
    let before = program.seen.updates(of: "libfollowing.so")
    try workspace.replace(library, with: file)
    try await program.wait(for: "the update") { $0.updates(of: "libfollowing.so") > before ? true : nil }
  }

  @Test(arguments: Start.luci)
  func pointersOfAllKinds(start: Start) async throws {
    let two = try await version("two", ["-DMORE"])
    let three = try await version("three", ["-DMORE"])
    let without = try await version("without")
    let program = try await self.start(start)
    #expect(
      try await look(program)
        == "call one, virtual one, dlsym one, hook one, changed hook program, added none, first code known, code known, one object"
    )
    try await update(program, to: two)
    #expect(
      try await look(program)
        == "call two, virtual two, dlsym two, hook two, changed hook program, added two, first code known, code known, two objects"
    )
    // The program has asked for that symbol: it must be there from now on.
    try workspace.replace(library, with: without)
    try await program.wait(for: "a refusal") { $0.refusals(of: "libfollowing.so").first }
    #expect(program.seen.hasTold("libfollowing.so", "added is no longer exported"))
    try await update(program, to: three)
    #expect(
      try await look(program)
        == "call three, virtual three, dlsym three, hook three, changed hook program, added three, first code known, code known, two objects"
    )
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// Thrown in new code and caught by old code that waited below it, and the other way round.
  @Test(arguments: Start.luci)
  func exceptionsBetweenVersions(start: Start) async throws {
    let two = try await version("two")
    let program = try await self.start(start)
    try program.send("throw\n")
    try await program.wait(for: "old code that waits") { $0.lines.last == "inside" ? true : nil }
    try await update(program, to: two)
    try program.send("now\n")
    try await program.wait(for: "both exceptions") { $0.lines.count >= 3 ? true : nil }
    #expect(program.seen.lines[1] == "thrown by two, caught by one")
    #expect(program.seen.lines[2] == "thrown by one, caught by two")
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }
}
