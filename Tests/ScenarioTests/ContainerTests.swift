import Foundation
import Testing

/// Processes in namespaces of their own are asked from outside by the number that they have there, and from inside by
/// the one within.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct ContainerTests {
  let workspace = try! Workspace()

  enum Kind: String, CaseIterable, CustomTestStringConvertible {
    case processes, users, changedRoot, unprivileged

    /// A command that starts another one inside.
    var prefix: [String] {
      let alone = ["--pid", "--mount", "--net", "--ipc", "--uts", "--fork", "--mount-proc", "--kill-child"]
      switch self {
      case .processes: return ["unshare"] + alone
      case .users: return ["unshare", "--user", "--map-root-user"] + alone
      case .unprivileged: return StaleProgram.asNobody + ["unshare", "--user", "--map-root-user"] + alone
      case .changedRoot:
        // A root directory of its own, with the same files in it.
        let script = """
          mkdir -p root && mount --rbind / root && mount -t proc proc root/proc && exec chroot root "$@"
          """
        return ["unshare"] + alone + ["sh", "-ec", script, "sh"]
      }
    }

    /// Empty: the kernel lets us; else what it says.
    var refusal: String {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = (self == .changedRoot ? Kind.processes.prefix : prefix) + ["true"]
      let errors = Pipe()
      process.standardError = errors
      guard (try? process.run()) != nil else { return "no env" }
      let text = errors.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return process.terminationStatus == 0 ? "" : "can't: " + String(decoding: text, as: UTF8.self)
    }

    var testDescription: String { rawValue }

    static let possible = allCases.filter { ($0 == .users || geteuid() == 0) && $0.refusal.isEmpty }
    /// By name, for whoever reads the results.
    static let impossible = allCases.filter { !possible.contains($0) }
  }

  /// The process that the prefix's commands have started at last.
  private func innermost(_ pid: pid_t) -> pid_t {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)) ?? ""
    guard let child = text.split(separator: " ").first.flatMap({ pid_t($0) }) else { return pid }
    return innermost(child)
  }

  private func numberInside(_ pid: pid_t) throws -> String {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("NSpid:") })
    return String(try #require(line.split(separator: "\t").last))
  }

  static let forbidden = Comment(
    rawValue: "here the kernel forbids: \(Kind.impossible.map { "\($0) (\($0.refusal))" })")

  /// Skipped by name where some are not tested.
  @Test(.enabled(if: Kind.impossible.isEmpty, ContainerTests.forbidden))
  func allKindsArePossible() {}

  @Test(arguments: Kind.possible)
  func askedFromOutsideAndInside(kind: Kind) async throws {
    if kind == .unprivileged { chown(workspace.path, 65534, 65534) }
    let tool = workspace.file("luci")
    try await workspace.install(tool, from: Luci.tool)
    chmod(workspace.path, 0o755)
    var stale = try await StaleProgram(in: workspace, prefix: kind.prefix)
    stale.target = innermost(stale.program.pid)
    try await stale.answers()
    let outside = "\(stale.target)"
    let inside = try numberInside(stale.target)
    #expect(inside != outside)
    func luci(inside arguments: [String]) async throws -> (Ending, Seen) {
      // The root directory and the working directory of the process, as well as its namespaces.
      let enter = ["nsenter", "--target", outside, "--all", "--root", "--wd", "--", tool]
      let run = try RunningProgram(in: workspace, enter + arguments)
      return (try await run.end(), run.seen)
    }
    #expect(try stale.luci(["status", outside]).status == 0)
    #expect(try stale.luci(["ps"]).output.split(separator: "\n").contains { $0.hasPrefix(outside + " ") })
    // Files of users that are not known inside would be refused.
    try await stale.update(owner: kind == .unprivileged ? 65534 : nil)
    try await stale.textIsAway()
    #expect(try await stale.ask("call") == "callback one")
    let use = try await stale.reported("stale_callback")
    #expect(use.thread.map { "\($0)" } == inside, "its own number")
    #expect(try stale.status().stale == "yes")
    let (ending, seen) = try await luci(inside: ["status", inside])
    #expect(ending == .exit(1) && seen.output.contains("version 1 in-use (stale_callback)"), "\(seen)")
    let list = try await luci(inside: ["ps"]).1.output
    let processes = list.split(separator: "\n").filter { $0.first?.isNumber == true }
    #expect(processes.count == 1 && processes[0].hasPrefix(inside + " "), "only its own: \(list)")
    // Paths are the process's own.
    #expect(try stale.luci(["check", outside, workspace.file("three/" + StaleProgram.name)]).status == 0)
    #expect(try stale.luci(["undo", outside, StaleProgram.name]).status == 0)
    #expect(try await stale.ask("version") == "version one")
    #expect(try await luci(inside: ["undo", inside, StaleProgram.name]).0 == .exit(0))
    #expect(try await stale.ask("version") == "version two")
    #expect(try await stale.ask("renew") == "renewed")
    #expect(try await luci(inside: ["wait", inside, "--fresh", "--timeout", "60"]).0 == .exit(0))
    #expect(try stale.status().stale == "no")
    stale.program.closeInput()
    try await stale.program.wait(for: "its end") { $0.ending }
  }
}
