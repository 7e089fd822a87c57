import Foundation
import Testing

/// Variables that move inside their sections, new ones between them, and others gone: the program goes on with their
/// values, while eight threads use them.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct MovingTests {
  static let name = "libmoving.so"
  let workspace = try! Workspace()

  private func library(_ layout: Int, at path: String) async throws -> String {
    try await workspace.library(
      path, "moving-lib.c", flags: ["-O2", "-s", "-fno-toplevel-reorder", "-DLAYOUT=\(layout)"])
  }

  private func version(_ layout: Int) async throws -> String {
    try await library(layout, at: "versions/\(layout)/\(Self.name)")
  }

  /// `flags` are those of the program.
  private func start(_ start: Start, flags: [String] = []) async throws -> RunningProgram {
    _ = try await library(1, at: Self.name)
    let program = Subject.compiled(
      in: workspace, "moving.c", name: "moving", flags: ["-O2", "-lmoving", "-pthread"] + flags)
    let running = try await program.start(start, environment: ["LD_SETTLE_TIME": "5"], status: true)
    try await running.wait(for: "the first layout") { $0.layouts.last?.layout == 1 ? true : nil }
    return running
  }

  @Test(arguments: Start.luci)
  func variablesKeepTheirValues(start: Start) async throws {
    let program = try await self.start(start)
    let one = workspace.file("first.so")
    try FileManager.default.copyItem(atPath: workspace.file(Self.name), toPath: one)
    let files = [1: one, 2: try await version(2), 3: try await version(3)]
    // Forth, back to what is mapped already, and forth again in other steps.
    let steps = [2, 1, 2, 3, 2, 3, 1, 3, 1, 2]
    for (step, layout) in steps.enumerated() {
      try workspace.replace(workspace.file(Self.name), with: try #require(files[layout]))
      try await program.wait(for: "layout \(layout), step \(step)") {
        $0.layouts.count == step + 2 && $0.layouts.last?.layout == layout ? true : nil
      }
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    let seen = program.seen.layouts
    #expect(!program.seen.output.contains("wrong"), "\(program.seen)")
    // One variable, whichever version counts in it.
    #expect(seen.map(\.shared) == (0...steps.count).map { 8 + $0 }, "\(program.seen)")
    // Content that is only read is each version's own.
    let notes = [1: "one", 2: "two, which is longer", 3: "three"]
    #expect(seen.allSatisfy { $0.note == notes[$0.layout] }, "\(program.seen)")
    // Of layouts 2 and 3 alone: one variable as soon as they follow each other.
    #expect(seen[0].extra == -1 && seen[1].extra == 1001)
    #expect(seen[4].extra == seen[3].extra + 1, "\(program.seen)")
    #expect(seen[5].extra == seen[4].extra + 1, "\(program.seen)")
  }

  /// The same with an executable at a fixed address, which takes an exported variable over.
  @Test func copyRelocation() async throws {
    let program = try await start(.direct, flags: ["-no-pie", "-fno-pie"])
    try workspace.replace(workspace.file(Self.name), with: try await version(3))
    try await program.wait(for: "layout 3") { $0.layouts.last?.layout == 3 ? true : nil }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(!program.seen.output.contains("wrong"), "\(program.seen)")
  }
}

extension Seen {
  fileprivate struct Layout {
    let layout: Int
    let note: String
    let shared: Int
    let extra: Int
  }

  /// The lines of the program's reporter.
  fileprivate var layouts: [Layout] {
    lines.compactMap { line in
      guard let match = line.wholeMatch(of: /layout (\d), note (.*), shared (\d+), extra (-?\d+), forgotten -?\d+/)
      else {
        return nil
      }
      return Layout(
        layout: Int(match.1) ?? 0, note: String(match.2), shared: Int(match.3) ?? 0, extra: Int(match.4) ?? 0)
    }
  }
}
