import Foundation
import Testing

/// The examples show what they say, and end by themselves.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .serialized, .timeLimit(.minutes(10)))
struct ExampleTests {
  let workspace = try! Workspace()

  struct Example: CustomTestStringConvertible {
    let name: String
    let updates: Int
    /// What the program says of it.
    let lines: [String]
    var testDescription: String { name }
  }

  static let examples = [
    Example(name: "counter", updates: 2, lines: ["version 3: a short lock, and a check", "the threads counted "]),
    Example(
      name: "plugins", updates: 2, lines: ["double-faster makes 14 of 7", "triple-and-more makes 210 of 7"]),
    Example(name: "server", updates: 10, lines: ["none failed"]),
    Example(name: "hooks", updates: 1, lines: ["updates come between two frames", ", bouncing: "]),
  ]

  @Test(arguments: examples)
  func example(_ example: Example) async throws {
    let directory = workspace.file(example.name)
    let run = try RunningProgram(
      in: workspace, [Luci.root + "/example/\(example.name)/run", directory],
      environment: ["LUCI_LOADER": try #require(Luci.loader)])
    #expect(try await run.end() == .exit(0), "\(run.seen)")
    let output = String(decoding: try workspace.contents(directory + "/output"), as: UTF8.self)
    for line in example.lines { #expect(output.contains(line), "\(run.seen)") }
    let status = String(decoding: try workspace.contents(directory + "/status"), as: UTF8.self)
    #expect(status.split(separator: "\n").count { StatusLine($0).isUpdate } == example.updates, "\(status)")
    #expect(run.seen.output.contains("example | done"))
  }
}
