import Foundation
import Testing

/// What Luci can't serve runs as if it were not there, with one line that says so.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct FallbackTests {
  let workspace = try! Workspace()

  private func run(_ command: [String]) async throws -> Outcome {
    let program = try RunningProgram(in: workspace, command)
    let ending = try await program.end()
    return Outcome(output: program.seen.output, errors: program.seen.errors, ending: ending)
  }

  private func write(_ name: String, _ content: String, mode: mode_t = 0o755) async throws -> String {
    let path = workspace.file(name)
    let made = workspace.unused("made")
    try workspace.replace(made, content: Data(content.utf8))
    try await workspace.install(path, from: made)
    chmod(path, mode)
    return path
  }

  private func warnings(_ outcome: Outcome) -> [Substring] {
    outcome.errors.split(separator: "\n").filter { $0.hasPrefix("ld-luci.so: warning: ") }
  }

  @Test func scripts() async throws {
    let loader = try #require(Luci.loader)
    let script = try await write("script", "#!/bin/sh\necho \"$0 $1\"\nexit 6\n")
    let outcome = try await run([loader, script, "--", "one"])
    #expect(outcome.output == "\(script) one\n")
    #expect(outcome.ending == .exit(6))
    #expect(warnings(outcome).count == 1, "\(outcome)")
  }

  @Test func whatTheKernelRefuses() async throws {
    let loader = try #require(Luci.loader)
    for (content, mode) in [("no program", 0o755), ("no program", 0o644), ("", 0o755)] as [(String, mode_t)] {
      let path = try await write("file", content, mode: mode)
      let outcome = try await run([loader, path])
      #expect(outcome.ending == .exit(127))
      #expect(outcome.errors.contains("\(path): error while loading shared libraries: \(path): "), "\(outcome)")
    }
  }

  /// An ELF file for another machine, by its header.
  @Test func foreignMachine() async throws {
    let loader = try #require(Luci.loader)
    var content = try workspace.contents("/bin/true")
    content[18] = 183
    let path = workspace.file("program")
    try workspace.replace(path, content: content)
    chmod(path, 0o755)
    let outcome = try await run([loader, path])
    #expect(outcome.errors.contains("ELF file of another machine"), "\(outcome)")
    #expect(outcome.ending == .exit(127))
  }

  @Test(.enabled(if: Luci.setinterp != nil), arguments: [false, true])
  func originalInterpreter(withLongPath: Bool) async throws {
    let loader = try #require(Luci.loader)
    let setinterp = try #require(Luci.setinterp)
    let original = workspace.file("original")
    let path = workspace.file("program")
    let flags = ["-nostdlib", "-o"]
    try await workspace.run("gcc", ["-static-pie"] + flags + [original, Luci.source("original-loader.S")])
    try await workspace.run(
      "gcc", ["-static", "-DINTERPRETER=\"\(original)\""] + flags + [path, Luci.source("no-dynamic.S")])
    #expect(try await run([path]).output == "original loader\n")
    var interpreter = workspace.file("l")
    if withLongPath { interpreter = workspace.file(String(repeating: "long", count: 50)) }
    try FileManager.default.createSymbolicLink(atPath: interpreter, withDestinationPath: loader)
    try await workspace.run(setinterp, [path, interpreter])
    let outcome = try await run([path])
    #expect(outcome.output == "original loader\n")
    #expect(outcome.ending == .exit(5))
    #expect(warnings(outcome).count == 1, "\(outcome)")
  }
}
