import Foundation
import Testing

/// `ld-luci.so --check OLD NEW`: the running loader's verdict, asked for beforehand.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct CheckTests {
  let workspace = try! Workspace()

  private func check(_ arguments: [String]) async throws -> (ending: Ending, seen: Seen) {
    let program = try RunningProgram(in: workspace, [try #require(Luci.loader), "--check"] + arguments)
    let ending = try await program.end()
    return (ending, program.seen)
  }

  @Test func applicable() async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    let (ending, seen) = try await check([counter.library, two])
    #expect(ending == .exit(0))
    #expect(seen.lines.first == "applicable")
    #expect(seen.lines.contains { $0.hasPrefix("proof: ") })
  }

  /// The same answer as the running loader's, with the same reason.
  @Test func refusedAsWhileRunning() async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two", flags: ["-DFIRST=1000"])
    let (ending, seen) = try await check(["--json", counter.library, two])
    #expect(ending == .exit(1))
    let object = try #require(
      JSONSerialization.jsonObject(with: Data(seen.output.utf8)) as? [String: Any])
    #expect(object["verdict"] as? String == "refused")
    let reasons = try #require(object["reasons"] as? [[String: String]])
    let program = try await counter.start(.direct, environment: ["LD_STATUS_FORMAT": "json"])
    try workspace.replace(counter.library, with: two)
    let line = try await program.wait(for: "the refusal") { seen in
      seen.statusText.split(separator: "\n").first { $0.contains("\"incompatible\"") }
    }
    try await counter.finish(program)
    let told = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(told["cause"] as? String == reasons[0]["code"])
    let detail = try #require(told["detail"] as? String)
    #expect(detail.hasPrefix(try #require(reasons[0]["detail"])))
  }

  /// Settings count as in the running loader.
  @Test func settings() async throws {
    let counter = try await Counter(in: workspace)
    let one = try await counter.version("one", flags: ["-DFIRST=10"])
    let two = try await counter.version("two", flags: ["-DFIRST=1000"])
    #expect(try await check([one, two]).ending == .exit(1))
    let program = try RunningProgram(
      in: workspace, [try #require(Luci.loader), "--force-update", "--check", one, two])
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.lines.first == "applicable" && program.seen.output.contains("state-content"))
    let grown = try await counter.version("three", flags: ["-DMORE_HEAP"])
    #expect(try await check([counter.library, grown]).ending == .exit(0))
    let strict = try RunningProgram(
      in: workspace, [try #require(Luci.loader), "--check", "--json", counter.library, grown],
      environment: ["LD_LAYOUT_CHECK": "refuse"])
    #expect(try await strict.end() == .exit(1), "\(strict.seen)")
  }

  @Test func sameContent() async throws {
    let counter = try await Counter(in: workspace)
    let copy = workspace.file("copy.so")
    try workspace.replace(copy, with: counter.library)
    let (ending, seen) = try await check(["--json", counter.library, copy])
    #expect(ending == .exit(0) && seen.output == "{\"verdict\":\"same\"}\n")
  }

  @Test func errors() async throws {
    let counter = try await Counter(in: workspace)
    let text = workspace.file("text")
    try Data("no library".utf8).write(to: URL(fileURLWithPath: text))
    #expect(try await check([text, counter.library]).ending == .exit(2))
    #expect(try await check([counter.library, workspace.file("missing")]).ending == .exit(2))
    #expect(try await check([counter.library]).ending == .exit(2))
  }
}
