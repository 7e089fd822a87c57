import Foundation
import Testing

/// A program that counts with libcounter.so, and versions of that library beside it.
struct Counter {
  static let name = "libcounter.so"

  let workspace: Workspace
  let subject: Subject
  /// The file that the program uses; it starts as version `one`.
  var library: String { workspace.file(Self.name) }

  init(in workspace: Workspace, flags: [String] = []) async throws {
    self.workspace = workspace
    try await workspace.library(Self.name, "counter.c")
    subject = Subject.compiled(
      in: workspace, "counting.c", name: "counting", flags: flags + ["-lcounter", "-pthread"])
  }

  /// Another version of the library, compiled beside the one in use. Its file keeps the library's name.
  func version(_ version: String, flags: [String] = []) async throws -> String {
    try await workspace.library(
      "versions/\(version)/\(Self.name)", "counter.c", flags: ["-DVERSION=\"\(version)\""] + flags)
  }

  func start(
    _ start: Start, threads: Int = 1, pause: Int = 1000, environment: [String: String] = [:]
  ) async throws -> RunningProgram {
    let program = try await subject.start(
      start, ["\(threads)", "\(pause)"], environment: environment, status: true)
    // With the first count all of the program's threads are there.
    try await program.wait(for: "version one") { $0.count != nil ? $0.has(version: "one") : nil }
    return program
  }

  /// Ends the program and expects that no count was lost.
  func finish(_ program: RunningProgram, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let ending = try await program.end()
    #expect(ending == .exit(0), "\(program.seen)", sourceLocation: sourceLocation)
  }
}

extension Seen {
  /// The versions that answered the program's first thread, in order.
  var versions: [String] {
    lines.filter { $0.hasPrefix("version ") }.map { String($0.split(separator: " ")[1]) }
  }

  func has(version: String) -> Bool? { versions.last == version ? true : nil }

  /// The last count that the program printed.
  var count: Int? {
    lines.last { $0.hasPrefix("count ") }.flatMap { Int($0.split(separator: " ")[1]) }
  }
}

extension RunningProgram {
  /// Waits until the program has counted on by at least `steps`, as it does with whichever version.
  func countsOn(by steps: Int = 10) async throws {
    let before = try await wait(for: "a count") { $0.count }
    try await wait(for: "the count to go on from \(before)") { ($0.count ?? 0) >= before + steps ? true : nil }
  }
}
