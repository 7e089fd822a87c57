import Foundation
import Testing

/// Whether old code still runs is seen, and told truly.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct StaleTests {
  let workspace = try! Workspace()

  @Test(arguments: Start.luci)
  func endlessLoopIsReported(start: Start) async throws {
    let stale = try await StaleProgram(in: workspace, start: start)
    #expect(try await stale.ask("loop") == "looping")
    try await stale.update()
    let use = try await stale.reported("stale_loop")
    #expect(use.version == 1)
    #expect((use.offset ?? 0) > 0, "it was inside the function")
    #expect(use.thread != nil && use.thread != Int(stale.program.pid))
    #expect(try await stale.ask("version") == "version two")
    try await stale.stale("yes")
    #expect(try await stale.ask("stop") == "stopped")
    try await stale.stale("no")
    try await stale.end()
  }

  @Test func callbackInTheHeapIsReportedUntilItIsReplaced() async throws {
    let stale = try await StaleProgram(in: workspace)
    try await stale.update()
    try await stale.textIsAway()
    #expect(try await stale.ask("call") == "callback one")
    let use = try await stale.reported("stale_callback")
    #expect(use.offset == 0)
    #expect(use.thread == Int(stale.program.pid))
    #expect(use.caller == "stale")
    #expect(try await stale.ask("renew") == "renewed")
    #expect(try await stale.ask("call") == "callback two")
    try await stale.stale("no")
    #expect(stale.uses.count == 1)
    try await stale.end()
  }

  @Test func withoutLeftoversItBecomesFresh() async throws {
    let stale = try await StaleProgram(in: workspace)
    try await stale.update()
    let (code, output) = try stale.luci(["wait", "\(stale.program.pid)", "--fresh", "--timeout", "60"])
    #expect(code == 0, "\(output)")
    #expect(stale.uses.isEmpty)
    #expect(try stale.status().objects.first?.outdated?.map(\.state) == ["retired"])
    // It was given up too early for this callback: that is told, and the answer corrected.
    #expect(try await stale.ask("call") == "callback one")
    _ = try await stale.reported("stale_callback")
    #expect(try stale.status().objects.first?.outdated?.first?.uses == 1)
    try await stale.end()
  }

  /// A thread that is inside a function of the old version, waiting elsewhere: nothing faults until it returns.
  @Test func returnAddressOnAStackKeepsItStale() async throws {
    let stale = try await StaleProgram(in: workspace)
    #expect(try await stale.ask("enter") == "entered")
    try await stale.update()
    try await stale.program.wait(for: "the thread's stack to be seen") { _ in
      let old = try stale.status().objects.first?.outdated?.first
      return old?.thread != nil && old?.state == "in-use" ? true : nil
    }
    #expect(stale.uses.isEmpty)
    #expect(try await stale.ask("leave") == "around one")
    _ = try await stale.reported("stale_around")
    try await stale.stale("no")
    try await stale.end()
  }

  @Test func signalHandlerInOldCode() async throws {
    let stale = try await StaleProgram(in: workspace)
    try await stale.update()
    try await stale.textIsAway()
    #expect(try await stale.ask("signal") == "handler callback one")
    _ = try await stale.reported("stale_callback")
    try await stale.end()
  }

  /// Children have all text, whether they come by fork(2) of the C library or by a system call it does not know of.
  @Test(arguments: ["fork", "raw fork"])
  func forkWhileTextIsAway(kind: String) async throws {
    let stale = try await StaleProgram(in: workspace)
    try await stale.update()
    try await stale.textIsAway()
    for _ in 0..<5 { #expect(try await stale.ask(kind) == "child callback one, status 0") }
    #expect(!stale.uses.contains { $0.thread == Int(stale.program.pid) }, "the parent has not used it")
    #expect(try await stale.ask("call") == "callback one")
    _ = try await stale.reported("stale_callback")
    try await stale.end()
  }

  @Test func currentAgainMeansNotOutdated() async throws {
    let stale = try await StaleProgram(in: workspace)
    let one = workspace.file("first.so")
    try FileManager.default.copyItem(atPath: stale.library, toPath: one)
    try await stale.update()
    try await stale.textIsAway()
    let before = stale.events.count { $0.code == "updated" }
    try workspace.replace(stale.library, with: one)
    try await stale.program.wait(for: "the way back") { _ in
      stale.events.count { $0.code == "updated" } > before ? true : nil
    }
    try await stale.textIsAway()
    for _ in 0..<20 {
      #expect(try await stale.ask("call") == "callback one")
      #expect(try await stale.ask("version") == "version one")
    }
    try await stale.stale("no")
    #expect(stale.uses.isEmpty, "\(stale.uses)")
    try await stale.end()
  }

  @Test func unprivilegedUser() async throws {
    try #require(geteuid() == 0, "needs root to become somebody else")
    chown(workspace.path, 65534, 65534)
    let stale = try await StaleProgram(in: workspace, prefix: StaleProgram.asNobody)
    try await stale.update()
    try await stale.textIsAway()
    #expect(try await stale.ask("call") == "callback one")
    _ = try await stale.reported("stale_callback")
    try await stale.stale("no")
    try await stale.end()
  }

  /// As root: the kernel tells of calls of functions that changed, and of nothing else.
  @Test(arguments: ["uprobes", "uprobes_deps"])
  func callsOfChangedFunctionsAreProbed(mode: String) async throws {
    try #require(geteuid() == 0 && Luci.exists("/sys/bus/event_source/devices/uprobe/type"), "needs root and uprobes")
    let stale = try await StaleProgram(
      in: workspace, environment: StaleProgram.quick.merging(["LD_DETECT_OUTDATED": mode]) { $1 })
    try await stale.update(to: "changed")
    try await stale.textIsAway()
    #expect(try await stale.ask("call") == "callback one")
    let use = try await stale.reported("stale_callback")
    #expect(use.thread == Int(stale.program.pid) && use.offset == 0)
    #expect(try await stale.ask("fork") == "child callback one, status 0")
    #expect(try await stale.ask("renew") == "renewed")
    #expect(try await stale.ask("call") == "callback changed")
    try await stale.stale("no")
    #expect(stale.uses.count == 1)
    try await stale.end()
  }

  /// Where the kernel forbids it the program runs on, and one line says so.
  @Test func probesForbidden() async throws {
    try #require(geteuid() == 0, "needs root to become somebody else")
    chown(workspace.path, 65534, 65534)
    let stale = try await StaleProgram(
      in: workspace, environment: StaleProgram.quick.merging(["LD_DETECT_OUTDATED": "uprobes"]) { $1 },
      prefix: StaleProgram.asNobody)
    try await stale.update(to: "changed")
    try await stale.program.wait(for: "the warning") { $0.errors.isEmpty ? nil : true }
    #expect(try await stale.ask("call") == "callback one")
    try await stale.update(to: "two")
    #expect(try await stale.ask("version") == "version two")
    let warnings = stale.program.seen.errors.split(separator: "\n")
    #expect(warnings.count == 1 && warnings[0].contains("outdated code is not detected: uprobes"), "\(warnings)")
    #expect(try stale.status().stale == "unknown")
    try await stale.end()
  }

  /// A version that was mapped from a file of a system directory holds that file until it is given up: whoever judges
  /// by mappings of deleted files (checkrestart, lsof) sees the process as stale until then, and not longer.
  @Test(.enabled(if: Luci.canMount, "no mount namespaces here"))
  func nothingOfTheFileStaysMapped() async throws {
    let mount = "mount --bind \(workspace.path) /usr/local/lib && exec \"$@\""
    let stale = try await StaleProgram(
      in: workspace,
      environment: StaleProgram.quick.merging([
        "LD_LIBRARY_PATH": "/usr/local/lib", "LD_RETIRE_TIME": "1",
      ]) { $1 }, prefix: ["unshare", "-rm", "sh", "-ec", mount, "sh"])
    func mapped() -> [Substring] {
      stale.program.mappings.filter { $0.contains("libstale.so") && !$0.contains("/memfd:") }
    }
    #expect(!mapped().isEmpty, "it is not mapped from a copy: \(stale.program.mappings)")
    try await stale.update()
    #expect(mapped().contains { $0.hasSuffix(" (deleted)") }, "\(mapped())")
    try await stale.stale("no")
    #expect(mapped().isEmpty, "\(mapped())")
    // Text and constants are there still, and the file that comes next may get the old one's number.
    #expect(try await stale.ask("call") == "callback one")
    try await stale.update(to: "three")
    #expect(try await stale.ask("version") == "version three")
    #expect(try stale.luci(["undo", "\(stale.program.pid)", StaleProgram.name]).status == 0)
    #expect(try await stale.ask("version") == "version two")
    try await stale.end()
  }

  /// The loader takes its own mapping's place to give the program its name; tools that compare the files of mappings with
  /// what is at their paths must not find another one there.
  @Test(arguments: Start.luci)
  func mappedFilesAreAtTheirPaths(start: Start) async throws {
    let stale = try await StaleProgram(in: workspace, start: start)
    let mapped = stale.program.mappings.map { $0.split(separator: " ") }
    let files = mapped.filter { $0.count == 6 && $0[5].hasPrefix("/") && !$0[5].hasPrefix("/memfd:") }
    #expect(files.count > 4)
    for file in files {
      var status = stat()
      let path = String(file[5])
      #expect(stat(path, &status) == 0 && "\(status.st_ino)" == file[4], "\(path) is another file")
    }
    try await stale.end()
  }

  /// LD_DETECT_OUTDATED_DELAY: old text is not taken away before.
  @Test func delayIsKept() async throws {
    let stale = try await StaleProgram(
      in: workspace, environment: StaleProgram.quick.merging(["LD_DETECT_OUTDATED_DELAY": "1"]) { $1 })
    let begin = ContinuousClock.now
    try await stale.update()
    let isAway = try stale.status().objects.first?.outdated?.first?.isAway == true
    #expect(!isAway || ContinuousClock.now > begin + .seconds(1))
    try await stale.textIsAway()
    #expect(ContinuousClock.now > begin + .seconds(1))
    try await stale.end()
  }

  @Test func disabledUnlessAskedFor() async throws {
    let stale = try await StaleProgram(in: workspace, environment: ["LD_RETIRE_TIME": "0"])
    let threads = stale.program.threads.count
    try await stale.update()
    #expect(try stale.status().stale == "unknown")
    #expect(stale.program.threads.count == threads)
    let (code, output) = try stale.luci(["wait", "\(stale.program.pid)", "--fresh", "--timeout", "60"])
    #expect(code == 0, "\(output)")
    try await stale.end()
  }
}
