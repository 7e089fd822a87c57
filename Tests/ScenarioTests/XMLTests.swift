import Foundation
import Testing

private let debianOld = "2.5.0-1+deb12u2"
private let debianNew = "2.5.0-1+deb12u5"

/// The main job on a real input: a program that parses XML goes over Debian's own update of libexpat1.
@Suite(
  .enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)),
  .enabled(
    if: Luci.libexpat(debianOld) != nil && Luci.libexpat(debianNew) != nil,
    "no subjects: tools/subjects fetches them, LUCI_SUBJECTS names their directory"),
  .timeLimit(.minutes(10)))
struct XMLTests {
  let workspace = try! Workspace()

  /// As dpkg installs it: libexpat.so.1 is a symbolic link to the file that is replaced.
  private func install() throws -> String {
    let file = workspace.file("libexpat.so.1.8.10")
    try workspace.replace(file, with: resolved(debianOld))
    try FileManager.default.createSymbolicLink(
      atPath: workspace.file("libexpat.so.1"), withDestinationPath: "libexpat.so.1.8.10")
    return file
  }

  private func resolved(_ version: String) throws -> String {
    URL(fileURLWithPath: try #require(Luci.libexpat(version))).resolvingSymlinksInPath().path
  }

  /// Compiles and starts the program in one of the two ways that the README names.
  private func start(_ start: Start) async throws -> RunningProgram {
    let loader = try #require(Luci.loader)
    let path = try await workspace.compile(
      "parse", Luci.root + "/example/xml/parse.c", flags: ["-l:libexpat.so.1"])
    if start == .direct {
      return try RunningProgram(in: workspace, [loader, path, "--", "foo"], status: true)
    }
    let setinterp = try #require(Luci.setinterp)
    try await workspace.run(setinterp, [path, loader])
    return try RunningProgram(in: workspace, [path, "foo"], status: true)
  }

  @Test(arguments: Start.luci)
  func debianUpdate(start: Start) async throws {
    let file = try install()
    let program = try await self.start(start)
    try await program.wait(for: "documents") { ($0.documents?.count ?? 0) >= 50 ? true : nil }
    let first = try #require(program.seen.documents)
    #expect(program.seen.output.hasPrefix("argument foo\n"))
    #expect(first.verdict == "accepted")
    let threads = program.threads

    // The update.
    try workspace.replace(file, with: resolved(debianNew))
    let line = try await program.wait(for: "the update's line") { $0.status.first(where: \.isUpdate) }
    #expect(line.name.hasPrefix("libexpat.so.1") && line.pid == Int(program.pid))
    let second = try await program.wait(for: "new code") { $0.documents(after: first, verdict: "rejected") }
    #expect(second.base != first.base)
    let after = program.threads
    #expect(threads.isSubset(of: after) && after.count <= threads.count + 1)

    // A broken file and one with another state.
    var broken = try workspace.contents(resolved(debianOld))
    broken = broken.prefix(broken.count / 3)
    try workspace.replace(file, content: broken)
    try await program.wait(for: "a line about the broken file") {
      $0.status.count(where: \.isRefusal) == 1 ? true : nil
    }
    let stateless = try await workspace.library("other/libexpat.so.1", "plain.c")
    try workspace.replace(file, with: stateless)
    let refusal = try await program.wait(for: "a line about other state") { seen in
      seen.status.filter(\.isRefusal).dropFirst().first
    }
    #expect(refusal.word == "FAILED" && refusal.reason == "new version is incompatible", "\(program.seen)")
    try await program.wait(for: "the current code to go on") { seen in
      seen.documents(after: second, verdict: "rejected").flatMap { $0.count >= second.count + 200 ? true : nil }
    }

    // Undoing is an update like any other.
    try workspace.replace(file, with: resolved(debianOld))
    let last = try await program.wait(for: "old code") { $0.documents(after: second, verdict: "accepted") }
    #expect(last.base == first.base, "the first version is mapped still")
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.status.count(where: \.isUpdate) == 2)
  }
}

/// A line of example/xml/parse.c.
struct Documents {
  var count: Int
  /// By the library's own state.
  var counted: Int
  /// What the library makes of a lone surrogate.
  var verdict: String
  /// Where the object with XML_Parse is.
  var base: String

  init?(_ line: Substring) {
    let form = #/documents (\d+), counted by the library (\d+), lone surrogate (\w+), XML_Parse in .* at (\w+)/#
    guard let match = line.wholeMatch(of: form), let count = Int(match.1), let counted = Int(match.2) else {
      return nil
    }
    (self.count, self.counted, verdict, base) = (count, counted, String(match.3), String(match.4))
  }
}

extension Seen {
  var documents: Documents? { lines.reversed().lazy.compactMap { Documents($0) }.first }

  /// The last line, if it is later than another one, has a verdict, and the library's own count agrees.
  func documents(after earlier: Documents, verdict: String) -> Documents? {
    guard let documents, documents.count > earlier.count, documents.counted == documents.count else { return nil }
    return documents.verdict == verdict ? documents : nil
  }
}
