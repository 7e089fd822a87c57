import Foundation
import Testing

/// Updates while a program does all it can at the same time.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct ManyUpdatesTests {
  let workspace = try! Workspace()

  /// Eight threads wait for each other by a mutex, condition variables and a once-control of the library: every wake-up
  /// that were lost between old and new code would stop them for good.
  @Test func aThousandUnderEightThreads() async throws {
    let one = try await workspace.library("one/libmany.so", "many-lib.c", flags: ["-DVERSION=1"])
    let two = try await workspace.library("two/libmany.so", "many-lib.c", flags: ["-DVERSION=2"])
    let library = workspace.file("libmany.so")
    try workspace.replace(library, with: one)
    let path = try await workspace.compile("many", "many.c", flags: ["-lmany", "-pthread"])
    let program = try RunningProgram(
      in: workspace, [try #require(Luci.loader), path, library, one, two, "1000"],
      environment: ["LD_SETTLE_TIME": "1"], status: true)
    let ending = try await program.wait(for: "a thousand updates", atMost: .seconds(240)) { $0.ending }
    #expect(ending == .exit(0), "\(program.seen)")
    #expect(program.seen.output.hasPrefix("updates 1000, "))
    #expect(program.seen.updates(of: "libmany.so") == 1000)
    #expect(program.seen.errors.isEmpty)
  }

  /// fork, vfork, posix_spawn, system and exec of a program that is updated meanwhile.
  @Test(arguments: Start.luci)
  func childrenOfAllKinds(start: Start) async throws {
    try await workspace.library(Counter.name, "counter.c")
    let versions = try await [
      workspace.library("one/\(Counter.name)", "counter.c"),
      workspace.library("two/\(Counter.name)", "counter.c", flags: ["-DVERSION=\"two\""]),
    ]
    let subject = Subject.compiled(in: workspace, "children.c", name: "children", flags: ["-lcounter", "-pthread"])
    let program = try await subject.start(start, [], environment: ["LD_SETTLE_TIME": "5"], status: true)
    try await program.wait(for: "the first version") { $0.lines.isEmpty ? nil : true }
    for update in 1...20 {
      let name = update % 2 == 1 ? "two" : "one"
      try workspace.replace(workspace.file(Counter.name), with: versions[update % 2])
      // The round in which it happened is past.
      try await program.wait(for: "update \(update)") { seen in
        seen.lines.last.flatMap { $0.hasPrefix("round ") && $0.hasSuffix(name) ? true : nil }
      }
    }
    // The line of the last one may come after its first call, and exec ends whoever writes it.
    try await program.wait(for: "all lines") { seen in
      seen.status.count { $0.isUpdate && $0.pid == Int(program.pid) } == 20 ? true : nil
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.lines.last == "executed")
  }
}
