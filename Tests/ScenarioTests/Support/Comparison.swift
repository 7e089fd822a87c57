import Foundation
import Testing

/// What a finished program showed.
struct Outcome: Equatable, CustomStringConvertible {
  var output: String
  var errors: String
  var ending: Ending

  var description: String {
    "\(ending)\n--- stdout\n\(output.prefix(4000))\n--- stderr\n\(errors.prefix(4000))"
  }

  /// The end and the first lines that differ, then all of it.
  func difference(to reference: Outcome) -> String {
    var parts = ending == reference.ending ? [] : ["\(ending) instead of \(reference.ending)"]
    for (name, own, other) in [("stdout", output, reference.output), ("stderr", errors, reference.errors)] {
      let ownLines = own.split(separator: "\n", omittingEmptySubsequences: false)
      let otherLines = other.split(separator: "\n", omittingEmptySubsequences: false)
      guard
        let index = (0..<max(ownLines.count, otherLines.count)).first(where: {
          $0 >= ownLines.count || $0 >= otherLines.count || ownLines[$0] != otherLines[$0]
        })
      else { continue }
      let line = { (lines: [Substring]) in index < lines.count ? "'\(lines[index].prefix(300))'" : "nothing" }
      parts.append("\(name) line \(index + 1) is \(line(ownLines)) instead of \(line(otherLines))")
    }
    return parts.joined(separator: "; ") + "\n\(self)"
  }
}

/// A program of the tests or of the system that is run in several ways.
struct Subject {
  let workspace: Workspace
  /// Its path; the same for all ways to start it, so that what it prints about itself is the same too.
  let path: String
  /// Compiles or copies the program for a way to start it.
  let prepare: (Start) async throws -> Void

  /// A program compiled from sources of `Programs/`.
  static func compiled(
    in workspace: Workspace, _ source: String, name: String = "program", flags: [String] = []
  ) -> Subject {
    Subject(workspace: workspace, path: workspace.file(name)) { start in
      try await workspace.compile(name, source, flags: flags, start: start)
    }
  }

  /// A program of the system. As PT_INTERP a changed copy of it would run, which `setinterp` is tested with.
  static func installed(in workspace: Workspace, _ path: String) -> Subject {
    Subject(workspace: workspace, path: path) { _ in }
  }

  func start(
    _ start: Start, _ arguments: [String] = [], environment: [String: String] = [:], status: Bool = false
  ) async throws -> RunningProgram {
    let command = try await command(start) + arguments
    return try RunningProgram(in: workspace, command, environment: environment, status: status)
  }

  /// What starts it, once it has been prepared.
  func command(_ start: Start) async throws -> [String] {
    try await prepare(start)
    guard start == .direct else { return [path] }
    guard let loader = Luci.loader else { throw Failure(Luci.isMissing) }
    return [loader, path]
  }

  func outcome(
    _ start: Start, _ arguments: [String] = [], environment: [String: String] = [:], input: String = ""
  ) async throws -> Outcome {
    let program = try await self.start(start, arguments, environment: environment)
    // A program that does not read may be gone already.
    try? program.send(input)
    let ending = try await program.end()
    let seen = program.seen
    return Outcome(output: seen.output, errors: seen.errors, ending: ending)
  }

  /// Runs the program under the system's loader and under Luci in `ways` and expects the same output, errors and end.
  @discardableResult
  func compare(
    _ arguments: [String] = [], ways: [Start] = Start.luci, environment: [String: String] = [:], input: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Outcome {
    let reference = try await outcome(.system, arguments, environment: environment, input: input)
    for way in ways {
      let outcome = try await outcome(way, arguments, environment: environment, input: input)
      if outcome != reference {
        Issue.record("\(way): \(outcome.difference(to: reference))", sourceLocation: sourceLocation)
      }
    }
    return reference
  }
}
