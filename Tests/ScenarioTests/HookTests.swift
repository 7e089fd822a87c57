import Foundation
import Testing

/// Functions by which a program takes part in updates (include/luci.h).
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct HookTests {
  let workspace = try! Workspace()
  static let library = "libhooked.so"
  static let header = "-I" + Luci.root + "/include"

  private func version(_ version: String, _ flags: [String] = []) async throws -> String {
    try await workspace.library(
      "versions/\(version)/\(Self.library)", "hooked.c", flags: ["-DVERSION=\"\(version)\"", Self.header] + flags)
  }

  private func start(
    _ start: Start, _ flags: [String] = [], first: [String] = [], threads: Int = 0
  ) async throws -> RunningProgram {
    let one = try await version("one", first)
    try workspace.replace(workspace.file(Self.library), with: one)
    let subject = Subject.compiled(
      in: workspace, "hooking.c", name: "hooking", flags: ["-lhooked", "-pthread", "-rdynamic", Self.header] + flags)
    let program = try await subject.start(start, ["\(threads)"], status: true)
    try await program.wait(for: "the program") { $0.lines.first }
    return program
  }

  /// Sends a command and returns the line that answers it.
  private func ask(_ program: RunningProgram, _ command: String) async throws -> String {
    let count = program.seen.lines.count
    try program.send(command + "\n")
    return try await program.wait(for: "an answer to \(command)") {
      $0.lines.count > count ? String($0.lines[count]) : nil
    }
  }

  private func replace(_ file: String) throws { try workspace.replace(workspace.file(Self.library), with: file) }

  // MARK: __luci_update

  @Test(arguments: Start.allCases)
  func updatesWaitForTheCall(start: Start) async throws {
    let two = try await version("two")
    let broken = workspace.file("broken.so")
    try workspace.contents(two).prefix(5000).write(to: URL(fileURLWithPath: broken))
    let program = try await self.start(start, ["-DUPDATE_POINT"])
    #expect(try await ask(program, "call") == "one 1, variable 1")
    // One thread: there is nobody who could make an update.
    #expect(program.threads.count == 1)
    guard start != .system else {
      #expect(try await ask(program, "update") == "update -1")
      return
    }
    #expect(try await ask(program, "update") == "update 0")
    try replace(broken)
    #expect(try await ask(program, "update") == "update 0")
    #expect(program.seen.refusals(of: Self.library).count == 1)
    #expect(try await ask(program, "update") == "update 0")
    #expect(program.seen.refusals(of: Self.library).count == 1, "told once")
    try replace(two)
    #expect(try await ask(program, "call") == "one 2, variable 1")
    #expect(try await ask(program, "update") == "update 1")
    #expect(try await ask(program, "call") == "two 3, variable 1")
    #expect(program.seen.updates(of: Self.library) == 1)
    try replace(workspace.file("versions/one/" + Self.library))
    // A child of its own: it is not updated with its parent.
    #expect(try await ask(program, "fork") == "update 1")
    try await program.wait(for: "the child's end") { $0.lines.last == "fork 0" ? true : nil }
    #expect(program.seen.lines.contains("one 4, variable 1"))
    #expect(try await ask(program, "call") == "two 4, variable 1")
    #expect(try await ask(program, "update") == "update 1")
    #expect(try await ask(program, "call") == "one 5, variable 1")
    #expect(program.threads.count == 1)
    #expect(try await program.end() == .exit(0))
  }

  /// A library that uses it comes and goes: so does the helper.
  @Test func openedLibraryUsesIt() async throws {
    let two = try await version("two", ["-DWITHOUT_HOOKS"])
    let three = try await version("three", ["-DWITHOUT_HOOKS"])
    let opened = try await workspace.library("opened/libopened.so", "opened-update.c", flags: [Self.header])
    let program = try await start(.direct, first: ["-DWITHOUT_HOOKS"])
    #expect(program.threads.count == 2)
    #expect(try await ask(program, "open \(opened)") == "open done")
    try await program.wait(for: "the helper's end") { _ in program.threads.count == 1 ? true : nil }
    try replace(two)
    #expect(try await ask(program, "call") == "one 1, variable 1")
    #expect(try await ask(program, "update") == "update 1")
    #expect(try await ask(program, "call") == "two 2, variable 1")
    #expect(try await ask(program, "close") == "close 0")
    #expect(program.threads.count == 2)
    try replace(three)
    try await program.wait(for: "the helper's update") { $0.updates(of: Self.library) == 2 ? true : nil }
    #expect(try await ask(program, "call") == "three 3, variable 1")
    #expect(try await program.end() == .exit(0))
  }

  /// An object whose layout changes lives on: a later call makes the update.
  @Test func laterCall() async throws {
    let two = try await version("two", ["-DRECORD=4480", "-DWITHOUT_HOOKS"])
    let program = try await start(.direct, ["-DUPDATE_POINT"], first: ["-DWITHOUT_HOOKS"])
    #expect(try await ask(program, "make") == "made")
    try replace(two)
    #expect(try await ask(program, "update") == "update 0")
    #expect(try await ask(program, "update") == "update 0")
    #expect(try await ask(program, "call").hasPrefix("one "))
    #expect(try await ask(program, "free") == "freed")
    #expect(try await ask(program, "update") == "update 1")
    #expect(try await ask(program, "call").hasPrefix("two "))
    #expect(program.threads.count == 1)
    #expect(try await program.end() == .exit(0))
  }

  // MARK: __luci_serialize, __luci_deserialize

  /// State of another layout is the new version's own, set up by its constructor, and filled by the hook.
  @Test func anotherState() async throws {
    let two = try await version("two", ["-DTABLE"])
    let three = try await version("three", ["-DTABLE"])
    let program = try await start(.direct, ["-DUPDATE_POINT", "-DOWN_HOOKS", "-fPIC"])
    for number in 1...3 { #expect(try await ask(program, "call") == "one \(number), variable 1") }
    try replace(two)
    #expect(try await ask(program, "update") == "update 1")
    #expect(
      program.seen.errors == """
        two constructed
        program serialize 0
        one serialize 1
        two deserialize 3
        program deserialize same

        """)
    #expect(try await ask(program, "call").hasPrefix("two 4, "))
    // The same layout again: the state stays where the second version has it.
    try replace(three)
    #expect(try await ask(program, "update") == "update 1")
    #expect(try await ask(program, "call").hasPrefix("three 5, "))
    #expect(!program.seen.errors.contains("three constructed"))
    // Back to the second: mapped already, and bound to that state.
    try replace(two)
    #expect(try await ask(program, "update") == "update 1")
    #expect(try await ask(program, "call").hasPrefix("two 6, "))
    #expect(program.seen.errors.components(separatedBy: "two constructed").count == 2)
    // Back to the first: its old state is of no use, it gets a new one.
    try replace(workspace.file("versions/one/" + Self.library))
    #expect(try await ask(program, "update") == "update 1")
    #expect(try await ask(program, "call").hasPrefix("one 7, "))
    #expect(try await program.end() == .exit(0))
    #expect(program.seen.updates(of: Self.library) == 4)
  }

  /// One of the two hooks is not enough.
  @Test func anotherStateWithoutHooks() async throws {
    let two = try await version("two", ["-DTABLE", "-DWITHOUT_HOOKS"])
    let program = try await start(.direct, ["-DUPDATE_POINT"])
    try replace(two)
    #expect(try await ask(program, "update") == "update 0")
    #expect(try await ask(program, "call") == "one 1, variable 1")
    #expect(program.seen.refusals(of: Self.library).count == 1)
    #expect(!program.seen.errors.contains("serialize"))
    #expect(try await program.end() == .exit(0))
  }

  /// Without an update point the first thread that calls into the library does it.
  @Test(arguments: [0, 8])
  func withoutUpdatePoint(threads: Int) async throws {
    let two = try await version("two", ["-DTABLE"])
    let program = try await start(.direct, ["-DOWN_HOOKS", "-fPIC"], threads: threads)
    #expect(try await ask(program, "call").hasPrefix("one "))
    try replace(two)
    var answer = ""
    while !answer.hasPrefix("two ") { answer = try await ask(program, "call") }
    try await program.wait(for: "the status line") { $0.updates(of: Self.library) == 1 ? true : nil }
    #expect(program.seen.errors.hasPrefix("two constructed\nprogram serialize 0\none serialize 1\ntwo deserialize "))
    #expect(program.seen.errors.hasSuffix("program deserialize same\n"))
    #expect(try await program.end() == .exit(0))
  }

  /// A variable that others refer to is where the new version has it, unless the executable took it over by a copy.
  @Test(arguments: [true, false])
  func exportedVariable(isCopied: Bool) async throws {
    let two = try await version("two", ["-DTABLE"])
    let program = try await start(
      .direct, ["-DUPDATE_POINT", isCopied ? "-fPIE" : "-fPIC"])
    #expect(try await ask(program, "call") == "one 1, variable 1")
    try replace(two)
    #expect(try await ask(program, "update") == "update 1")
    #expect(try await ask(program, "call") == "two 2, variable \(isCopied ? 1 : 2)")
    #expect(try await program.end() == .exit(0))
  }

  @Test(arguments: ["gcc", "g++", "clang", "clang++"].filter { Luci.exists("/usr/bin/" + $0) })
  func header(compiler: String) async throws {
    let isCXX = compiler.hasSuffix("++")
    let source = workspace.file(isCXX ? "header.cpp" : "header.c")
    let text = """
      #include <luci.h>
      #include <luci.h>
      int main(void) { return luci_update() == 0 && __luci_serialize == 0 ? 0 : 1; }
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: source))
    let path = workspace.file("header")
    try await workspace.run(
      compiler, ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-address", Self.header, "-o", path, source])
    for command in [[path], [try #require(Luci.loader), path]] {
      let program = try RunningProgram(in: workspace, command)
      #expect(try await program.end() == .exit(0), "\(program.seen)")
    }
  }
}
