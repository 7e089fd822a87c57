import Foundation
import Testing

/// Files that change together. liba needs libb, libd needs neither.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct TogetherTests {
  let workspace = try! Workspace()

  private func library(_ name: String, _ version: String, first: Int = 1) async throws -> String {
    let place = version == "one" ? "lib\(name).so" : "versions/\(version)\(first)/lib\(name).so"
    return try await workspace.library(
      place, "together-lib.c",
      flags: ["-DNAME=\(name)", "-DVERSION=\"\(version)\"", "-DFIRST=\(first)"]
        + (name == "a" ? ["-DNEEDS_B", "-lb"] : []))
  }

  private func start(_ start: Start, _ environment: [String: String] = [:]) async throws -> RunningProgram {
    for name in ["b", "a", "d"] { _ = try await library(name, "one") }
    let subject = Subject.compiled(
      in: workspace, "together.c", name: "together", flags: ["-la", "-lb", "-ld", "-pthread"])
    // Time enough for all files of one update.
    let program = try await subject.start(
      start, [], environment: environment.merging(["LD_SETTLE_TIME": "300"]) { $1 }, status: true)
    try await program.wait(for: "the first versions") { $0.lines.first }
    return program
  }

  private func see(_ line: Substring, _ program: RunningProgram) async throws {
    try await program.wait(for: "'\(line)'") { $0.lines.last == line ? true : nil }
  }

  private func replace(_ name: String, with file: String) throws {
    try workspace.replace(workspace.file("lib\(name).so"), with: file)
  }

  @Test(arguments: Start.luci)
  func allOrNone(start: Start) async throws {
    let program = try await self.start(start)
    let (a, d) = (try await library("a", "two"), try await library("d", "two"))
    let (good, bad) = (try await library("b", "two"), try await library("b", "two", first: 5))
    try replace("a", with: a)
    try replace("b", with: bad)
    try replace("d", with: d)
    // What hangs together with none of them goes over.
    try await see("a one, b one, b through a one, d two, pre none", program)
    try await program.wait(for: "both refusals") { seen in
      seen.refusals(of: "liba.so").count == 1 && seen.refusals(of: "libb.so").count == 1 ? true : nil
    }
    #expect(program.seen.hasTold("liba.so", "libb.so, which changed together with it, stays as it is"))
    #expect(program.seen.hasTold("libb.so", "initial content"))
    // A good file of the one is a chance for both.
    try replace("b", with: good)
    try await see("a two, b two, b through a two, d two, pre none", program)
    #expect(program.seen.updates(of: "liba.so") == 1 && program.seen.updates(of: "libb.so") == 1)
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  @Test func manyTogether() async throws {
    let program = try await start(.direct, ["LD_SETTLE_TIME": "300"])
    let files = [try await library("a", "two"), try await library("b", "two"), try await library("d", "two")]
    for (name, file) in zip(["a", "b", "d"], files) { try replace(name, with: file) }
    try await see("a two, b two, b through a two, d two, pre none", program)
    #expect(program.seen.status.count(where: \.isUpdate) == 3)
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  @Test(arguments: Start.luci)
  func preloadedLibrary(start: Start) async throws {
    let first = try await library("pre", "one")
    let program = try await self.start(start, ["LD_PRELOAD": first])
    #expect(program.seen.lines.first == "a one, b one, b through a one, d one, pre one")
    try replace("pre", with: try await library("pre", "two"))
    try await program.wait(for: "the preloaded one") { $0.lines.last?.hasSuffix("pre two") == true ? true : nil }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }
}
