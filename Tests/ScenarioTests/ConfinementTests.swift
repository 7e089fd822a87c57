import Foundation
import Testing

/// Programs that take rights from themselves: they must not notice the loader's thread, and updates go on or end with
/// one warning.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct ConfinementTests {
  let workspace = try! Workspace()
  static let library = "libsetting.so"
  static let isRoot = geteuid() == 0

  private func version(_ version: String, _ flags: [String] = []) async throws -> String {
    try await workspace.library(
      "versions/\(version)/\(Self.library)", "setting-lib.c", flags: ["-DVERSION=\"\(version)\""] + flags)
  }

  /// The program after its confinement, and what came of that.
  private func start(
    _ mode: String, _ start: Start = .direct, argument: String = ""
  ) async throws -> (RunningProgram, String) {
    try workspace.replace(workspace.file(Self.library), with: try await version("one"))
    let program = try await Subject.compiled(in: workspace, "confined.c", name: "confined", flags: ["-lsetting"])
      .start(start, [mode, argument], status: true)
    if start != .system {
      try await program.wait(for: "the helper") { $0.status.isEmpty || program.threads.count < 2 ? nil : true }
    }
    return (program, try await ask(program, "c"))
  }

  private func ask(_ program: RunningProgram, _ command: String) async throws -> String {
    let count = try await program.wait(for: "output") { $0.lines.isEmpty ? nil : $0.lines.count }
    try program.send(command)
    return try await program.wait(for: "an answer to \(command)") {
      $0.lines.count > count ? String($0.lines[count]) : nil
    }
  }

  private func replace(_ file: String) throws { try workspace.replace(workspace.file(Self.library), with: file) }

  private func becomes(_ program: RunningProgram, _ version: String) async throws {
    try await program.wait(for: "the update") { $0.updates(of: Self.library) > 0 ? true : nil }
    #expect(try await ask(program, "v") == version)
  }

  // MARK: seccomp

  /// The loader's thread would be killed, and the program with it.
  @Test(arguments: ["strict", "all-threads"])
  func seccompThatEndsUpdates(mode: String) async throws {
    let (program, result) = try await start(mode)
    #expect(result == "\(mode) 0")
    #expect(program.threads.count == 1)
    #expect(program.seen.errors == "ld-luci.so: warning: the program enters seccomp: no further updates\n")
    try replace(try await version("two"))
    #expect(try await ask(program, "v") == "one")
    try program.send("x")
    #expect(try await program.end() == .exit(7))
  }

  @Test func seccompOfOneThread() async throws {
    let needy = try await version("needy", ["-Wl,--no-as-needed", "-lz"])
    let two = try await version("two")
    let (program, result) = try await start("filter")
    #expect(result == "filter 0")
    #expect(program.seen.errors.split(separator: "\n").count == 1)
    #expect(program.seen.errors.contains("enters seccomp: no updates that need one of its threads"))
    try replace(needy)
    try await program.wait(for: "a refusal") { $0.refusals(of: Self.library).first }
    #expect(try await ask(program, "v") == "one")
    try replace(two)
    try await becomes(program, "two")
    #expect(try await program.end() == .exit(0))
  }

  @Test func seccompThatFails() async throws {
    let (program, result) = try await start("wrong-filter")
    #expect(result == "wrong-filter \(-EFAULT)")
    try replace(try await version("two"))
    try await becomes(program, "two")
    #expect(try await program.end() == .exit(0))
  }

  /// A process ends with its last thread.
  @Test(arguments: Start.allCases)
  func exitOfTheOnlyThread(start: Start) async throws {
    let (program, _) = try await self.start("none", start)
    try program.send("x")
    #expect(try await program.end() == .exit(7))
  }

  // MARK: Namespaces

  @Test(arguments: ["user", "user-call"])
  func userNamespace(mode: String) async throws {
    let (reference, expected) = try await start(mode, .system)
    try await reference.end()
    let (program, result) = try await start(mode)
    #expect(result == expected)
    if result == "\(mode) 0" {
      #expect(program.seen.errors.contains("user namespace") && program.threads.count == 1)
    }
    #expect(try await program.end() == .exit(0))
  }

  @Test func namespaceThatIsRefused() async throws {
    let (program, result) = try await start("wrong-unshare")
    #expect(result == "wrong-unshare \(-EINVAL)")
    try replace(try await version("two"))
    try await becomes(program, "two")
    #expect(program.seen.errors.isEmpty)
    #expect(try await program.end() == .exit(0))
  }

  @Test(.enabled(if: isRoot, "needs root"))
  func mountNamespace() async throws {
    let (program, result) = try await start("mounts")
    #expect(result == "mounts 0" || result == "mounts \(-EPERM)")
    try replace(try await version("two"))
    try await becomes(program, "two")
    #expect(program.seen.errors.isEmpty)
    #expect(try await program.end() == .exit(0))
  }

  /// The libraries stay where they were; a process that is forked then has no way to them.
  @Test(.enabled(if: isRoot, "needs root"))
  func anotherRoot() async throws {
    let root = workspace.file("root")
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
    let (program, result) = try await start("chroot", argument: root)
    #expect(result == "chroot 0")
    try replace(try await version("two"))
    try await becomes(program, "two")
    #expect(program.seen.errors.isEmpty)
    #expect(try await ask(program, "f") == "forked")
    try await program.wait(for: "the child's warning") { $0.errors.contains("(chroot?)") ? true : nil }
    try program.send("e")
    #expect(try await program.end() == .exit(0))
  }

  // MARK: Rights and limits

  @Test(.enabled(if: isRoot, "needs root"))
  func givenUpPrivileges() async throws {
    chmod(workspace.path, 0o755)
    let secret = try await version("secret")
    let two = try await version("two")
    let (program, result) = try await start("setuid")
    #expect(result == "setuid 0")
    chmod(secret, 0o600)
    try await workspace.run("cp", ["-p", secret, workspace.file("secret")])
    try workspace.rename(workspace.file("secret"), over: workspace.file(Self.library))
    let line = try await program.wait(for: "a line that says why") { $0.refusals(of: Self.library).first }
    #expect(line.word == "ERROR" && line.reason == "opening file failed")
    try replace(two)
    try await becomes(program, "two")
    #expect(try await program.end() == .exit(0))
  }

  /// Without inotify files are looked at now and then.
  @Test(.enabled(if: Luci.canMount, "no user namespaces here"))
  func noInotifyInstance() async throws {
    let two = try await version("two")
    try workspace.replace(workspace.file(Self.library), with: try await version("one"))
    let path = try await workspace.compile("confined", "confined.c", flags: ["-lsetting"])
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\""
    let program = try RunningProgram(
      in: workspace, ["unshare", "-Ur", "sh", "-c", script, "sh", try #require(Luci.loader), path, "none"],
      status: true)
    try await program.wait(for: "the warning") { $0.errors.contains("every second") ? true : nil }
    _ = try await ask(program, "c")
    try replace(two)
    try await becomes(program, "two")
    #expect(program.seen.errors.split(separator: "\n").count == 1)
    #expect(try await program.end() == .exit(0))
  }

  /// At any moment: nothing is left behind, and the next start is as good as the first.
  @Test func killedWhileUpdated() async throws {
    let counter = try await Counter(in: workspace)
    let versions = [try await counter.version("two"), try await counter.version("three")]
    let first = try workspace.contents(counter.library)
    let files = Set(try FileManager.default.contentsOfDirectory(atPath: workspace.path))
    for round in 0..<8 {
      let program = try await counter.start(.direct, threads: 2, pause: 0, environment: ["LD_SETTLE_TIME": "0"])
      // Killed while the first, second, third… update is under way.
      for index in 0...(round % 4) { try workspace.replace(counter.library, with: versions[index % 2]) }
      program.signal(SIGKILL)
      #expect(try await program.end() == .signal(SIGKILL))
      try workspace.replace(counter.library, content: first)
    }
    let program = try await counter.start(.direct)
    try workspace.replace(counter.library, with: versions[0])
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
    let left = Set(try FileManager.default.contentsOfDirectory(atPath: workspace.path)).subtracting(files)
    let own = ["stdin", "stdout", "stderr", "status", "counting"]
    #expect(left.allSatisfy { name in own.contains { name.hasPrefix($0) } }, "\(left)")
  }
}
