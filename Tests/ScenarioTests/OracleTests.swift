import Foundation
import Testing

/// What a process says about old code is compared with what that code logs about itself, while it is used in every way
/// in which old code can stay in use, at random. A wrong "fresh" is the worst that the detection could do.
///
/// LUCI_ORACLE_SEEDS=FIRST-LAST runs other seeds, one after the other: `LUCI_ORACLE_SEEDS=100-200 swift test --filter
/// OracleTests`, which takes some 15 s for each.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(240)))
struct OracleTests {
  let workspace = try! Workspace()
  static let generations = 6
  // Each version has its own place in the log, which looks like another layout of a structure.
  static let settings = [
    "LD_DETECT_OUTDATED": "userfaultfd", "LD_DETECT_OUTDATED_DELAY": "0", "LD_RETIRE_TIME": "1",
    "LD_LAYOUT_CHECK": "report",
  ]

  static let seeds: [Int] = {
    let parts = (ProcessInfo.processInfo.environment["LUCI_ORACLE_SEEDS"] ?? "1-2").split(separator: "-")
    guard let first = parts.first.flatMap({ Int($0) }), let last = parts.last.flatMap({ Int($0) }), first <= last
    else { return [] }
    return Array(first...last)
  }()

  @Test func neverWronglyFresh() async throws {
    try #require(!Self.seeds.isEmpty, "LUCI_ORACLE_SEEDS is FIRST-LAST")
    try await workspace.library("0/liboracle.so", "oracle-lib.c")
    for generation in 1..<Self.generations {
      try await workspace.library(
        "\(generation)/liboracle.so", "oracle-lib.c", flags: ["-DGENERATION=\(generation)"])
    }
    var all = Statements()
    for seed in Self.seeds {
      try workspace.replace(workspace.file("liboracle.so"), with: workspace.file("0/liboracle.so"))
      all += try await run(seed)
    }
    #expect(all.unused > 20 * Self.seeds.count, "the process said hardly anything: \(all)")
    // A single seed may keep all of its versions in use.
    #expect(all.retired > 0, "\(all)")
    if Self.seeds.count > 4 { print("oracle: \(all)") }
  }

  /// What was said that could be compared.
  struct Statements {
    var unused = 0
    var retired = 0
    var fresh = 0

    static func += (left: inout Statements, right: Statements) {
      left.unused += right.unused
      left.retired += right.retired
      left.fresh += right.fresh
    }
  }

  private func run(_ seed: Int) async throws -> Statements {
    let subject = Subject.compiled(in: workspace, "oracle.c", name: "oracle", flags: ["-loracle", "-pthread"])
    let program = try await subject.start(.direct, ["\(seed)"], environment: Self.settings, status: true)
    try await program.wait(for: "the program") { $0.lines.contains("ready") ? true : nil }
    var numbers = RepeatableNumbers(seed: UInt64(seed))
    var statements = Statements()
    for generation in 1..<Self.generations {
      try workspace.replace(
        workspace.file("liboracle.so"), with: workspace.file("\(generation)/liboracle.so"))
      try await program.wait(for: "update \(generation)") { seen in
        seen.updates(of: "liboracle.so") >= generation ? true : nil
      }
      let end = ContinuousClock.now + .milliseconds(Int.random(in: 500..<5000, using: &numbers))
      while ContinuousClock.now < end { statements += try await check(program, seed) }
    }
    #expect(try await program.end() == .exit(0), "seed \(seed): \(program.seen)")
    return statements
  }

  /// A version's own log.
  private struct Record {
    var last: Int
    var entries: Int
    var inside: Int
  }

  private func log(of program: RunningProgram) async throws -> [Int: Record] {
    let before = program.seen.lines.count
    try program.send("?\n")
    let line = try await program.wait(for: "the log") { $0.lines.count > before ? $0.lines[before] : nil }
    var log: [Int: Record] = [:]
    for word in line.split(separator: " ").dropFirst() {
      let parts = word.split(separator: ":").compactMap { Int($0) }
      log[parts[0]] = Record(last: parts[1], entries: parts[2], inside: parts[3])
    }
    return log
  }

  /// One look, between two readings of the log.
  private func check(_ program: RunningProgram, _ seed: Int) async throws -> Statements {
    let before = try await log(of: program)
    let status = try Luci.status(of: program.pid)
    let after = try await log(of: program)
    var statements = Statements()
    for old in status.objects.first?.outdated ?? [] {
      // Version numbers are those of the generations, since no file comes twice.
      guard let record = after[old.version - 1] else { continue }
      if let unused = old.unused {
        statements.unused += 1
        let since = status.clock - unused * 1_000_000
        #expect(
          !(record.last > since && record.last < status.clock),
          "seed \(seed): version \(old.version) ran \(record.last - since) ns after \(since), when it was away")
      }
      guard old.state == "retired" else { continue }
      statements.retired += 1
      // Nothing of it was entered or left between the readings, so whoever was inside is inside.
      if let earlier = before[old.version - 1], earlier.entries == record.entries {
        #expect(
          earlier.inside == 0 || record.inside == 0,
          "seed \(seed): version \(old.version) is on \(record.inside) threads' stacks, and said to be given up")
      }
    }
    if status.stale == "no", !(status.objects.first?.outdated ?? []).isEmpty { statements.fresh += 1 }
    return statements
  }
}
