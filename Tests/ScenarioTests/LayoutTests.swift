import Foundation
import Testing

/// A new version whose objects have another layout: it takes over when none of the old ones lives.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct LayoutTests {
  let workspace = try! Workspace()

  private func version(_ version: String, _ flags: [String] = []) async throws -> String {
    try await workspace.library(
      "versions/\(version)/liblayouts.so", "layouts-lib.c", flags: ["-DVERSION=\"\(version)\""] + flags)
  }

  private func start(
    _ start: Start, threads: Int, _ arguments: [String] = [], environment: [String: String] = [:],
    flags: [String] = []
  ) async throws -> RunningProgram {
    _ = try await workspace.library("liblayouts.so", "layouts-lib.c", flags: ["-DVERSION=\"one\""])
    let subject = Subject.compiled(
      in: workspace, "layouts.c", name: "layouts", flags: flags + ["-llayouts", "-pthread"])
    let program = try await subject.start(
      start, ["\(threads)"] + arguments, environment: environment, status: true)
    try await program.wait(for: "version one") { $0.has(version: "one") }
    return program
  }

  private var library: String { workspace.file("liblayouts.so") }

  @Test(arguments: Start.luci)
  func waitsForTheLastObject(start: Start) async throws {
    let two = try await version("two", ["-DGROWN"])
    let program = try await self.start(start, threads: 0)
    try workspace.replace(library, with: two)
    let line = try await program.wait(for: "a line that says why") { $0.refusals(of: "liblayouts.so").first }
    #expect(line.reason == "new version is incompatible")
    #expect(program.seen.errors.contains("such objects are alive, and it waits until there are none"))
    #expect(program.seen.versions == ["one"])
    let status = try Luci.run(["status", "\(program.pid)"]).output
    #expect(status.contains("an update waits for the end of 1 object of 7216 bytes"), "\(status)")
    try program.send("free it\n")
    try await program.wait(for: "version two") { $0.has(version: "two") }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.updates(of: "liblayouts.so") == 1)
  }

  /// An executable at a fixed address that takes malloc's address has an entry of that name, too.
  @Test func fixedAddress() async throws {
    let two = try await version("two", ["-DGROWN"])
    let program = try await self.start(.direct, threads: 0, flags: ["-no-pie", "-fno-pic", "-DTAKES_MALLOC"])
    try program.send("free it\n")
    try await program.wait(for: "the kept object's end") { $0.lines.contains("freed") ? true : nil }
    try workspace.replace(library, with: two)
    try await program.wait(for: "version two") { $0.has(version: "two") }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// Back and forth between two layouts under threads that make objects all the time.
  @Test func underThreads() async throws {
    let two = try await version("two", ["-DGROWN"])
    let one = try await version("one")
    let program = try await start(.direct, threads: 4)
    try program.send("free it\n")
    try await program.wait(for: "the kept object's end") { $0.lines.contains("freed") ? true : nil }
    for round in 0..<6 {
      try workspace.replace(library, with: round % 2 == 0 ? two : one)
      try await program.wait(for: "update \(round + 1)") { $0.updates(of: "liblayouts.so") == round + 1 ? true : nil }
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// Somebody always has an object: threads that would make another one wait for those that have one, for a moment.
  @Test func busyThreads() async throws {
    let two = try await version("two", ["-DGROWN"])
    let one = try await version("one")
    let program = try await start(.direct, threads: 4, ["busy"], environment: ["LD_LAYOUT_HOLD": "10000"])
    try program.send("free it\n")
    try await program.wait(for: "the kept object's end") { $0.lines.contains("freed") ? true : nil }
    for round in 0..<6 {
      try workspace.replace(library, with: round % 2 == 0 ? two : one)
      try await program.wait(for: "update \(round + 1)") { $0.updates(of: "liblayouts.so") == round + 1 ? true : nil }
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// Where nobody can have made such objects, nothing is waited for. Who did may have left.
  @Test(arguments: [false, true])
  func makersThatLeft(hasPlugin: Bool) async throws {
    let two = try await version("two", ["-DGROWN"])
    _ = try await workspace.library("liblayouts.so", "layouts-lib.c", flags: ["-DVERSION=\"one\""])
    let plugin = try await workspace.library("libplugin.so", "leaving-plugin.c", flags: ["-llayouts"])
    let subject = Subject.compiled(in: workspace, "leaving.c", flags: ["-llayouts"])
    let program = try await subject.start(
      .direct, hasPlugin ? [plugin] : [], environment: ["LD_LOGLEVEL": "info"], status: true)
    try await program.wait(for: "version one") { $0.has(version: "one") }
    try workspace.replace(library, with: two)
    if hasPlugin {
      try await program.wait(for: "a line that says why") { $0.refusals(of: "liblayouts.so").first }
      #expect(program.seen.errors.contains("such objects are alive, and it waits until there are none"))
      #expect(program.seen.versions == ["one"])
      try program.send("free it\n")
    }
    try await program.wait(for: "version two") { $0.has(version: "two") }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.refusals(of: "liblayouts.so").isEmpty == !hasPlugin)
    #expect(program.seen.errors.contains("nothing in the process makes them") == !hasPlugin)
  }

  /// Refused by the setting only where somebody makes such objects.
  @Test func makersUnderRefusal() async throws {
    let two = try await version("two", ["-DGROWN"])
    _ = try await workspace.library("liblayouts.so", "layouts-lib.c", flags: ["-DVERSION=\"one\""])
    let subject = Subject.compiled(in: workspace, "leaving.c", flags: ["-llayouts"])
    let program = try await subject.start(.direct, [], environment: ["LD_LAYOUT_CHECK": "refuse"], status: true)
    try await program.wait(for: "version one") { $0.has(version: "one") }
    try workspace.replace(library, with: two)
    try await program.wait(for: "version two") { $0.has(version: "two") }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// A newer file takes the place of one that waits.
  @Test func newerFile() async throws {
    let two = try await version("two", ["-DGROWN"])
    let three = try await version("three")
    let program = try await start(.direct, threads: 0)
    try workspace.replace(library, with: two)
    try await program.wait(for: "a line that says why") { $0.refusals(of: "liblayouts.so").first }
    try workspace.replace(library, with: three)
    try await program.wait(for: "version three") { $0.has(version: "three") }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.versions == ["one", "three"])
  }

  /// Where the allocator is not the C library's, nobody knows what lives.
  @Test func otherAllocator() async throws {
    let two = try await version("two", ["-DGROWN"])
    let allocator = try await workspace.library("liballocator.so", "allocator.c")
    let program = try await start(.direct, threads: 0, environment: ["LD_PRELOAD": allocator])
    try workspace.replace(library, with: two)
    let line = try await program.wait(for: "a line that says why") { $0.refusals(of: "liblayouts.so").first }
    #expect(line.reason == "new version is incompatible")
    #expect(program.seen.errors.contains("whether any is alive can't be seen here"))
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.versions == ["one"])
  }
}
