import Foundation
import Testing

/// A file that can't be taken: the program goes on with the old code, one line says why, the next good file is taken.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct RefusalTests {
  let workspace = try! Workspace()

  /// Refuses `make`'s result and expects one of `reasons` (any without), then an update to a good version.
  private func refused(
    _ reasons: Set<String> = [], _ make: (Counter) async throws -> Void, repair: (Counter) throws -> Void = { _ in }
  ) async throws {
    let counter = try await Counter(in: workspace)
    let three = try await counter.version("three")
    let program = try await counter.start(.direct)
    try await make(counter)
    let line = try await program.wait(for: "a line that says why") { $0.refusals(of: Counter.name).first }
    #expect(reasons.isEmpty || reasons.contains("\(line.word) (\(line.reason))"), "\(line.text)")
    #expect(line.pid == Int(program.pid))
    try await program.countsOn()
    #expect(program.seen.versions == ["one"])
    #expect(program.seen.errors.contains(Counter.name), "no warning says more: \(program.seen)")

    if (try? FileManager.default.attributesOfItem(atPath: counter.library)[.type] as? FileAttributeType)
      != .typeRegular
    {
      try? workspace.remove(counter.library)
    }
    try repair(counter)
    try workspace.replace(counter.library, with: three)
    try await program.wait(for: "the next good file") { $0.has(version: "three") }
    try await counter.finish(program)
  }

  @Test(
    arguments: [
      ["-DFIRST=1000"], ["-DCOUNTER_THREADS=8"], ["-DLESS_EXPORTS"],
    ])
  func incompatibleVersion(flags: [String]) async throws {
    try await refused(["FAILED (new version is incompatible)"]) { counter in
      try workspace.replace(counter.library, with: try await counter.version("two", flags: flags))
    }
  }

  /// Objects of another size are a risk, which the user may have refused.
  @Test(arguments: ["report", "refuse"])
  func changedLayout(policy: String) async throws {
    let counter = try await Counter(in: workspace, flags: ["-DRECORDS"])
    let two = try await counter.version("two", flags: ["-DMORE_HEAP"])
    let program = try await counter.start(.direct, environment: ["LD_LAYOUT_CHECK": policy])
    try workspace.replace(counter.library, with: two)
    if policy == "refuse" {
      try await program.wait(for: "a line that says why") { $0.refusals(of: Counter.name).first }
      try await program.countsOn()
      #expect(program.seen.versions == ["one"])
    } else {
      try await program.wait(for: "version two") { $0.has(version: "two") }
    }
    let risk = "1 allocation has another size (counter_record: 0x40 is now 0x60)"
    // The program may be quicker than the line.
    try await program.wait(for: "the risk") { $0.errors.contains(risk) ? true : nil }
    try await program.countsOn()
    #expect(program.seen.errors.components(separatedBy: risk).count == 2, "told once: \(program.seen)")
    try await counter.finish(program)
  }

  enum Damage: String, CaseIterable {
    case empty, text, shortened, headerOnly, otherMachine, otherClass, otherType, program, noise, withoutSections
  }

  @Test(arguments: Damage.allCases)
  func brokenFile(damage: Damage) async throws {
    try await refused(["ERROR (unsupported format)", "FAILED (new version is incompatible)"]) { counter in
      var content = try workspace.contents(try await counter.version("two"))
      switch damage {
      case .empty: content = Data()
      case .text: content = Data("#!/bin/sh\necho no library\n".utf8)
      case .shortened: content = content.prefix(content.count / 2)
      case .headerOnly: content = content.prefix(64)
      case .otherMachine: content.replaceSubrange(18..<20, with: [183, 0])  // e_machine: EM_AARCH64
      case .otherClass: content[4] = 1  // EI_CLASS: ELFCLASS32
      case .otherType: content[16] = 2  // e_type: ET_EXEC
      case .withoutSections:
        content.replaceSubrange(40..<48, with: Data(count: 8))  // e_shoff
        content.replaceSubrange(60..<64, with: Data(count: 4))  // e_shnum, e_shstrndx
      case .program: content = try workspace.contents(counter.subject.path)
      case .noise:
        content.replaceSubrange(64..<content.count, with: (64..<content.count).map { UInt8($0 * 31 & 255) })
      }
      try workspace.replace(counter.library, content: content)
    }
  }

  @Test func directory() async throws {
    try await refused(["ERROR (unsupported format)", "ERROR (opening file failed)"]) { counter in
      try workspace.remove(counter.library)
      try FileManager.default.createDirectory(atPath: counter.library, withIntermediateDirectories: false)
    }
  }

  /// Opening it must not block, and nobody's writer must be let in.
  @Test func namedPipe() async throws {
    try await refused(["ERROR (unsupported format)", "ERROR (opening file failed)"]) { counter in
      let pipe = workspace.unused("pipe")
      mkfifo(pipe, 0o644)
      try workspace.rename(pipe, over: counter.library)
    }
  }

  /// Root reads everything, others get a reason.
  @Test(.enabled(if: geteuid() != 0 || Luci.exists("/usr/bin/setpriv"), "no setpriv"))
  func unreadable() async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    let three = try await counter.version("three")
    chmod(workspace.path, 0o755)
    // A user of its own, since root would read it: the files belong to root, as those of packages do.
    let loader = workspace.file("loader")
    try await workspace.install(loader, from: try #require(Luci.loader))
    let path = try await workspace.compile("counting", "counting.c", flags: ["-lcounter", "-pthread"])
    let user = geteuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
    let program = try RunningProgram(in: workspace, user + [loader, path, "1", "1000"])
    try await program.wait(for: "version one") { $0.has(version: "one") }
    chmod(two, 0)
    try workspace.rename(two, over: counter.library)
    try await program.wait(for: "a line that says why") {
      $0.errors.contains("ERROR (opening file failed) for libcounter.so") && $0.errors.contains("Permission denied")
        ? true : nil
    }
    try await program.countsOn()
    try workspace.replace(counter.library, with: three)
    try await program.wait(for: "the next good file") { $0.has(version: "three") }
    try await counter.finish(program)
  }

  @Test func directoryWritableByAnybody() async throws {
    try await refused { counter in
      let two = try await counter.version("two")
      chmod(workspace.path, 0o777)
      try workspace.rename(two, over: counter.library)
    } repair: { _ in
      chmod(workspace.path, 0o700)
    }
  }

  /// Made by hand: a link to another link, and that one back.
  @Test func symbolicLinksInACircle() async throws {
    try await refused(["ERROR (opening file failed)", "ERROR (retrieving file status failed)"]) { counter in
      let other = workspace.file("other.so")
      try FileManager.default.createSymbolicLink(atPath: other, withDestinationPath: counter.library)
      let link = workspace.unused("link")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: other)
      try workspace.rename(link, over: counter.library)
    }
  }

  /// The file's own events, 10,000 within about a second: the last content counts.
  @Test func manyEventsOfTheFile() async throws {
    let counter = try await Counter(in: workspace)
    let two = try workspace.contents(try await counter.version("two"))
    let program = try await counter.start(.direct)
    for round in 0..<10_000 {
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: counter.library))
      if round == 9_999 {
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: two)
      }
      try handle.close()
    }
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await program.countsOn()
    try await counter.finish(program)
    #expect(program.seen.updates(of: Counter.name) == 1)
  }

  @Test func writableByAnybody() async throws {
    try await refused { counter in
      let two = try await counter.version("two")
      chmod(two, 0o666)
      try workspace.rename(two, over: counter.library)
    }
  }

  /// The file that was refused is made good, and nothing is written.
  @Test(arguments: ["file", "directory"])
  func accessThatIsCorrected(what: String) async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    let program = try await counter.start(.direct)
    chmod(what == "file" ? two : workspace.path, what == "file" ? 0o666 : 0o777)
    try workspace.rename(two, over: counter.library)
    try await program.wait(for: "a line that says why") { $0.refusals(of: Counter.name).first }
    chmod(what == "file" ? counter.library : workspace.path, what == "file" ? 0o644 : 0o700)
    try await program.wait(for: "the same file") { $0.has(version: "two") }
    // Nobody cares about the mode of a file that was taken.
    chmod(counter.library, 0o600)
    try workspace.replace(counter.library, with: try await counter.version("three"))
    try await program.wait(for: "version three") { $0.has(version: "three") }
    try await counter.finish(program)
    #expect(program.seen.refusals(of: Counter.name).count == 1, "\(program.seen)")
    #expect(!program.seen.status.contains { $0.word == "IGNORED" }, "\(program.seen)")
  }

  @Test func symbolicLinkLoop() async throws {
    try await refused(["ERROR (opening file failed)", "ERROR (retrieving file status failed)"]) { counter in
      let link = workspace.unused("link")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: counter.library)
      try workspace.rename(link, over: counter.library)
    }
  }

  @Test func removedAndMadeAnew() async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    let program = try await counter.start(.direct)
    try workspace.remove(counter.library)
    // A later change of another file is told: the removal has been looked at by then.
    let executable = workspace.file("counting")
    try workspace.replace(executable, content: workspace.contents(executable) + Data([0]))
    try await program.wait(for: "a line about the executable") { $0.refusals(of: "counting").first }
    try await program.countsOn()
    #expect(program.seen.versions == ["one"])
    try workspace.replace(counter.library, with: two)
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
  }

  /// Whoever had the file open for writing closes it, at last and without having written: nothing new to tell.
  @Test func closedWithoutChange() async throws {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(.direct)
    try workspace.replace(counter.library, content: Data("no library".utf8))
    try await program.wait(for: "a line that says why") { $0.refusals(of: Counter.name).first }
    try await workspace.run("sh", ["-c", "exec 3>>'\(counter.library)'"])
    // Batches come one after the other: with the second of these lines the first batch is done with.
    let executable = try workspace.contents(counter.subject.path)
    for count in 1...2 {
      try workspace.replace(counter.subject.path, content: executable + Data(count: count))
      try await program.wait(for: "a line about the executable") {
        $0.refusals(of: "counting").count >= count ? true : nil
      }
    }
    #expect(program.seen.refusals(of: Counter.name).count == 1, "\(program.seen)")
    try await counter.finish(program)
  }

  @Test func manyEventsThatConcernNothing() async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    let program = try await counter.start(.direct)
    for round in 0..<5000 {
      let file = workspace.file("other.\(round % 7)")
      try Data([1]).write(to: URL(fileURLWithPath: file))
    }
    try workspace.replace(counter.library, with: two)
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
    #expect(program.seen.updates(of: Counter.name) == 1)
  }
}

/// What can't be replaced is told and left alone.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct RestartTests {
  let workspace = try! Workspace()

  @Test(arguments: Start.luci)
  func executable(start: Start) async throws {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(start)
    let file = workspace.file("counting")
    try workspace.replace(file, content: workspace.contents(file) + Data([0]))
    let line = try await program.wait(for: "a line about the executable") { $0.status.first { $0.isRefusal } }
    #expect(line.name == "counting" && line.path == file)
    #expect(program.seen.errors.contains("restart needed"))
    try await counter.finish(program)
  }

  /// What a package brings that is installed once more is what the program runs.
  @Test func executableInstalledAgain() async throws {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    let program = try await counter.start(.direct)
    let file = workspace.file("counting")
    let content = try workspace.contents(file)
    try workspace.replace(file, content: content)
    try workspace.replace(counter.library, with: two)
    try await program.wait(for: "version two") { $0.has(version: "two") }
    #expect(program.seen.status.allSatisfy { !$0.isRefusal }, "\(program.seen)")
    // One byte of read-only data, and the same build-id.
    var other = content
    let place = try #require(other.range(of: Data("wrong: thread".utf8)))
    other[place.lowerBound] = UInt8(ascii: "W")
    try workspace.replace(file, content: other)
    let line = try await program.wait(for: "a line about the executable") { $0.status.first { $0.isRefusal } }
    #expect(line.name == "counting")
    try await counter.finish(program)
  }
}
