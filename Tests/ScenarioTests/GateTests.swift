import Foundation
import Testing

/// Updates that need work on a thread of the program: it is done once, by the first call that comes.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct GateTests {
  let workspace = try! Workspace()

  /// The new version needs a library of the program's, whose constructor allocates and prints.
  @Test(arguments: Start.luci)
  func newLibraryIsConstructedOnce(start: Start) async throws {
    try await workspace.library("libextra.so", "extra.c")
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two", flags: ["-Wl,--no-as-needed", "-lextra", "-lm"])
    let program = try await counter.start(start, threads: 8, pause: 0)
    try workspace.replace(counter.library, with: two)
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await program.wait(for: "the status line") { $0.status.first { $0.isUpdate } }
    try await program.countsOn()
    // A further version needs it as well: it is there already.
    let three = try await counter.version("three", flags: ["-Wl,--no-as-needed", "-lextra"])
    try workspace.replace(counter.library, with: three)
    try await program.wait(for: "version three") { $0.has(version: "three") }
    try await counter.finish(program)
    #expect(program.seen.errors == "extra constructed 1\n")
  }

  @Test func missingLibraryIsTold() async throws {
    try await workspace.library("libextra.so", "extra.c")
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two", flags: ["-Wl,--no-as-needed", "-lextra"])
    try workspace.remove(workspace.file("libextra.so"))
    let program = try await counter.start(.direct)
    try workspace.replace(counter.library, with: two)
    let line = try await program.wait(for: "a line that says why") { $0.status.first { $0.isRefusal } }
    #expect(line.name == Counter.name)
    try await program.countsOn()
    // The gate is gone: the next good file is taken.
    try workspace.replace(counter.library, with: try await counter.version("three"))
    try await program.wait(for: "version three") { $0.has(version: "three") }
    try await counter.finish(program)
    #expect(program.seen.versions == ["one", "three"])
    #expect(program.seen.errors.contains("libextra.so"))
  }

  @Test func indirectFunction() async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two", flags: ["-DIFUNC"])
    let program = try await counter.start(.direct, threads: 4, pause: 0)
    try workspace.replace(counter.library, with: two)
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
  }

  /// What a signal handler interrupts may be the allocator: it goes on with the old code, and the work is left to an
  /// ordinary call.
  @Test func notInASignalHandler() async throws {
    try await workspace.library("libextra.so", "extra.c")
    try await workspace.library("libalarm.so", "alarmlib.c", flags: ["-DVERSION=\"one\""])
    try await workspace.library(
      "new/libalarm.so", "alarmlib.c", flags: ["-DVERSION=\"two\"", "-Wl,--no-as-needed", "-lextra"])
    let subject = Subject.compiled(in: workspace, "alarming.c", name: "alarming", flags: ["-lalarm"])
    let program = try await subject.start(.direct, [], status: true)
    func handled(_ seen: Seen) -> Int? {
      seen.lines.last { $0.hasPrefix("handler ") }.flatMap { Int($0.split(separator: " ")[1]) }
    }
    try await program.wait(for: "the handler") { handled($0) }
    try workspace.replace(workspace.file("libalarm.so"), with: workspace.file("new/libalarm.so"))
    // The gate is up a settle time after that; far more handlers run meanwhile than it takes.
    let before = handled(program.seen) ?? 0
    try await program.wait(for: "many handlers") { (handled($0) ?? 0) > before + 500 ? true : nil }
    #expect(!program.seen.lines.contains { $0.hasPrefix("handler ") && $0.hasSuffix("two") })
    #expect(program.seen.errors.isEmpty)
    try program.send("go\n")
    try await program.wait(for: "the main thread's call") { $0.lines.first { $0.hasPrefix("main ") } }
    try await program.wait(for: "version two in the handler") {
      $0.lines.first { $0.hasPrefix("handler ") && $0.hasSuffix("two") }
    }
    program.closeInput()
    #expect(try await program.end() == .exit(0))
    #expect(program.seen.errors == "extra constructed 1\n")
  }
}
