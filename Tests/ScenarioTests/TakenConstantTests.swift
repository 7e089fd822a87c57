import Testing

/// Constants of a library that live in the executable, since it has taken them over by copy relocations: tables of
/// virtual functions follow, and other content is a reason to refuse.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct TakenConstantTests {
  let workspace = try! Workspace()
  private static let name = "libtaken.so"

  private func version(_ version: String, _ flags: [String] = []) async throws -> String {
    try await workspace.library(
      "versions/\(version)/\(Self.name)", "taken-lib.cpp", flags: ["-DVERSION=\"\(version)\""] + flags)
  }

  private func look(_ program: RunningProgram) async throws -> Substring {
    let count = program.seen.lines.count
    try program.send("look\n")
    return try await program.wait(for: "a look") { $0.lines.count > count ? $0.lines.last : nil }
  }

  /// `flags`: without PIE the copies are in .bss, else in what is read-only after relocation.
  @Test(arguments: [[], ["-no-pie", "-fno-pic"], ["-Wl,-z,now"]], [Start.direct, .interpreter])
  func virtualTables(flags: [String], start: Start) async throws {
    try await workspace.library(Self.name, "taken-lib.cpp", flags: ["-DVERSION=\"one\""])
    let subject = Subject.compiled(in: workspace, "taken.cpp", name: "taken", flags: ["-ltaken"] + flags)
    let program = try await subject.start(start, [], status: true)
    #expect(try await look(program) == "one, area 9, limit 30, copy 30")
    for next in ["two", "three", "one"] {
      let file = try await version(next, next == "one" ? [] : ["-DMORE"])
      let before = program.seen.updates(of: Self.name)
      try workspace.replace(workspace.file(Self.name), with: file)
      try await program.wait(for: "the update") { $0.updates(of: Self.name) > before ? true : nil }
      #expect(try await look(program) == "\(next), area 9, limit 30, copy 30")
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  @Test(arguments: [
    (["-DTHIRD=33"], "initial content of limits"), (["-DLIMITS=8"], "limits has another type or size"),
    (["-DWITHOUT_LIMITS"], "limits is no longer exported"),
  ])
  func otherConstants(flags: [String], reason: String) async throws {
    try await workspace.library(Self.name, "taken-lib.cpp", flags: ["-DVERSION=\"one\""])
    let subject = Subject.compiled(in: workspace, "taken.cpp", name: "taken", flags: ["-ltaken"])
    let program = try await subject.start(.direct, [], status: true)
    #expect(try await look(program) == "one, area 9, limit 30, copy 30")
    try workspace.replace(workspace.file(Self.name), with: try await version("two", flags))
    try await program.wait(for: "a refusal") { $0.refusals(of: Self.name).first }
    try await program.wait(for: "the reason") { $0.hasTold(Self.name, reason) ? true : nil }
    #expect(try await look(program) == "one, area 9, limit 30, copy 30")
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }
}
