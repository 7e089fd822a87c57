import Foundation
import Testing

/// A library's file changes, and the running program goes over to the new version with its data.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct UpdateTests {
  let workspace = try! Workspace()

  @Test(arguments: Start.luci)
  func renamedOver(start: Start) async throws {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(start)
    let before = program.threads
    try workspace.replace(counter.library, with: try await counter.version("two"))
    try await program.wait(for: "version two") { $0.has(version: "two") }
    let line = try await program.wait(for: "its status line") { $0.status.first { $0.isUpdate } }
    #expect(line.name == Counter.name)
    #expect(line.path == counter.library)
    #expect(line.pid == Int(program.pid))
    try await program.countsOn()
    let after = program.threads
    #expect(before.isSubset(of: after), "a thread was replaced")
    #expect(after.count <= before.count + 1, "more than Luci's helper came")
    // The helper begins on its maker's processor, and stays there only until it runs.
    let processors = Set(after.map { program.processors(ofThread: $0) })
    #expect(processors.count == 1 && processors != [""])
    try await counter.finish(program)
    #expect(program.seen.versions == ["one", "two"])
    #expect(program.seen.errors.isEmpty)
  }

  @Test func overwritten() async throws {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(.direct)
    try await workspace.overwrite(counter.library, content: workspace.contents(try await counter.version("two")))
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
  }

  /// A linker on a slow disk: the file is incomplete many times before it is complete.
  @Test func overwrittenInManySteps() async throws {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(.direct)
    let content = try workspace.contents(try await counter.version("two"))
    try await workspace.overwrite(
      counter.library, content: content, steps: (content.count + 4095) / 4096, pause: .milliseconds(120))
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
    #expect(program.seen.versions == ["one", "two"])
  }

  @Test func symbolicLinkSwitched() async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    let one = workspace.file("libcounter.so.1")
    try workspace.rename(counter.library, over: one)
    try FileManager.default.createSymbolicLink(atPath: counter.library, withDestinationPath: one)
    let program = try await counter.start(.direct)
    let link = workspace.unused("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: two)
    try workspace.rename(link, over: counter.library)
    try await program.wait(for: "version two") { $0.has(version: "two") }
    // The directory that the link leads to now is watched, too.
    try workspace.replace(two, with: try await counter.version("three"))
    try await program.wait(for: "version three") { $0.has(version: "three") }
    try await counter.finish(program)
  }

  @Test func sameContentIsIgnored() async throws {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(.direct)
    try workspace.replace(counter.library, content: workspace.contents(counter.library))
    let line = try await program.wait(for: "a status line") { $0.status.first { $0.word == "IGNORED" } }
    #expect(line.reason == "new version has same hash")
    try await counter.finish(program)
    #expect(program.seen.updates(of: Counter.name) == 0)
  }

  /// Updates and their undoing while threads hold and wait for the library's mutex.
  @Test(arguments: Start.luci)
  func fiftyUpdatesUnderFourThreads(start: Start) async throws {
    let counter = try await Counter(in: workspace)
    let one = workspace.file("first.so")
    try FileManager.default.copyItem(atPath: counter.library, toPath: one)
    let two = try await counter.version("two")
    let program = try await counter.start(start, threads: 4, pause: 0, environment: ["LD_SETTLE_TIME": "5"])
    var mappings = 0
    for update in 1...50 {
      let odd = update % 2 == 1
      try workspace.replace(counter.library, with: odd ? two : one)
      try await program.wait(for: "update \(update)") { seen in
        seen.updates(of: Counter.name) >= update && seen.versions.last == (odd ? "two" : "one") ? true : nil
      }
      if update == 10 { mappings = program.mappings.count }
    }
    #expect(program.mappings.count <= mappings + 4, "versions that are mapped already are used again")
    try await program.countsOn(by: 1000)
    try await counter.finish(program)
    #expect(program.seen.versions.count == 51)
    #expect(program.seen.updates(of: Counter.name) == 50)
  }

  @Test func disabledUpdates() async throws {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(.direct, environment: ["LD_DYNAMIC_UPDATE": "0"])
    #expect(program.threads.count == 3, "no thread of Luci's where nothing can be updated")
    try workspace.replace(counter.library, with: try await counter.version("two"))
    // Another process, in which updates are on, has seen the change.
    let other = try await counter.subject.start(.direct, ["1", "1000"], status: true)
    try await other.wait(for: "another process") { $0.has(version: "two") }
    try workspace.replace(counter.library, with: try await counter.version("three"))
    try await other.wait(for: "its update") { $0.has(version: "three") }
    try await program.countsOn()
    #expect(program.threads.count == 3)
    try await counter.finish(other)
    try await counter.finish(program)
    #expect(program.seen.versions == ["one"])
  }

  @Test func forkedChildrenAreUpdatedToo() async throws {
    let counter = try await Counter(in: workspace)
    let path = try await workspace.compile("forking", "forking.c", flags: ["-lcounter"])
    let subject = Subject(workspace: workspace, path: path) { _ in }
    let program = try await subject.start(.direct, status: true)
    try await program.wait(for: "both processes") { seen in
      seen.output.contains("parent: one") && seen.output.contains("child: one") ? true : nil
    }
    try workspace.replace(counter.library, with: try await counter.version("two"))
    try await program.wait(for: "version two in both") { seen in
      seen.output.contains("parent: two") && seen.output.contains("child: two") ? true : nil
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(Set(program.seen.status.filter(\.isUpdate).map(\.pid)).count == 2)
  }
}
