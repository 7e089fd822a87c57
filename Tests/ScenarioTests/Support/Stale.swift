import Foundation

/// A program that keeps old code of libstale.so in use on demand, and the tool `luci`.
struct StaleProgram {
  static let name = "libstale.so"

  let workspace: Workspace
  let program: RunningProgram
  /// The process to ask, where the one that was started is another.
  var target: pid_t
  var library: String { workspace.file(Self.name) }

  static let quick = ["LD_DETECT_OUTDATED": "userfaultfd", "LD_DETECT_OUTDATED_DELAY": "0", "LD_RETIRE_TIME": "3"]

  /// Starts a command as a user without rights.
  static let asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

  /// - Parameter prefix: a command that starts the program, such as setpriv.
  init(
    in workspace: Workspace, start: Start = .direct, environment: [String: String] = StaleProgram.quick,
    prefix: [String] = []
  ) async throws {
    self.workspace = workspace
    try await workspace.library(Self.name, "stale-lib.c")
    try await workspace.library("two/" + Self.name, "stale-lib.c", flags: ["-DVERSION=\"two\""])
    try await workspace.library("three/" + Self.name, "stale-lib.c", flags: ["-DVERSION=\"three\""])
    try await workspace.library(
      "changed/" + Self.name, "stale-lib.c", flags: ["-DVERSION=\"changed\"", "-DCHANGED"])
    try await workspace.compile("stale", "stale.c", flags: ["-lstale", "-pthread"], start: start)
    var command = prefix
    if start == .direct { command.append(Luci.loader ?? "") }
    program = try RunningProgram(
      in: workspace, command + [workspace.file("stale")],
      environment: environment.merging(["LD_STATUS_FORMAT": "json"]) { $1 }, status: true)
    target = program.pid
    try await program.wait(for: "the program") { $0.lines.contains("ready one") ? true : nil }
  }

  /// Waits until it answers: not at once after its start.
  func answers() async throws {
    try await program.wait(for: "an answer to luci") { _ in
      try luci(["status", "\(target)"]).status == 0 ? true : nil
    }
  }

  /// A command and its answer.
  func ask(_ command: String) async throws -> String {
    let before = program.seen.lines.count
    try program.send(command + "\n")
    return try await program.wait(for: "an answer to \(command)") { seen in
      seen.lines.count > before ? String(seen.lines[before]) : nil
    }
  }

  func update(to version: String = "two", owner: uid_t? = nil) async throws {
    let before = events.count { $0.code == "updated" }
    try workspace.replace(library, with: workspace.file("\(version)/\(Self.name)"), owner: owner)
    try await program.wait(for: "the update") { _ in events.count { $0.code == "updated" } > before ? true : nil }
  }

  struct Event: Decodable {
    var code: String
    var object: String
    var function: String?
    var offset: Int?
    var version: Int?
    var thread: Int?
    var caller: String?
  }

  var events: [Event] {
    program.seen.statusText.split(separator: "\n", omittingEmptySubsequences: false).dropLast().compactMap {
      try? JSONDecoder().decode(Event.self, from: Data($0.utf8))
    }
  }

  var uses: [Event] { events.filter { $0.code == "reused-outdated" } }

  /// Waits until the use of a function was reported.
  func reported(_ function: String) async throws -> Event {
    try await program.wait(for: "the report of \(function)") { _ in uses.first { $0.function == function } }
  }

  /// Waits until the old text was taken away: its first page is a memory file's and not mapped.
  func textIsAway() async throws {
    try await program.wait(for: "the old text to be away") { _ in
      try status().objects.first?.outdated?.first?.isAway == true ? true : nil
    }
  }

  // MARK: luci

  struct Status: Decodable {
    struct Object: Decodable {
      struct Old: Decodable {
        var version: Int
        var state: String
        var uses: Int
        var unused: Int?
        var thread: Int?
        var isAway: Bool { unused != nil }

        enum CodingKeys: String, CodingKey {
          case version, state, uses, thread
          case unused = "unused_ms"
        }
      }
      var object: String
      var version: Int
      var versions: Int
      var stale: String
      var outdated: [Old]?
    }
    var pid: Int
    var clock: Int
    var stale: String
    var paused: Bool
    var objects: [Object]

    enum CodingKeys: String, CodingKey {
      case pid, stale, paused, objects
      case clock = "clock_ns"
    }
  }

  func status() throws -> Status { try Luci.status(of: target) }

  func stale(_ expected: String) async throws {
    try await program.wait(for: "stale: \(expected)") { _ in try status().stale == expected ? true : nil }
  }

  @discardableResult
  func luci(_ arguments: [String]) throws -> (status: Int32, output: String) { try Luci.run(arguments) }

  func end() async throws {
    let ending = try await program.end()
    guard ending == .exit(0) else { throw Failure("\(program.seen)") }
  }
}

extension Luci {
  /// Runs the tool and returns its exit status and output.
  @discardableResult
  static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Luci.tool)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  static func status(of pid: pid_t) throws -> StaleProgram.Status {
    let (_, text) = try run(["status", "\(pid)", "--json"])
    do { return try JSONDecoder().decode(StaleProgram.Status.self, from: Data(text.utf8)) } catch {
      throw Failure("luci status: \(text)")
    }
  }

  /// The tool `luci`, beside this test.
  static let tool: String = {
    let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    for directory in [Bundle.main.bundleURL, products, URL(fileURLWithPath: root + "/.build/debug")] {
      let path = directory.appendingPathComponent("luci").path
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    return root + "/.build/debug/luci"
  }()
}
