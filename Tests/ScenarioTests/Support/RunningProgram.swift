import Foundation

/// How a process ended.
enum Ending: Equatable, CustomStringConvertible {
  case exit(Int32)
  case signal(Int32)

  init(status: Int32) {
    // wait(2): the low seven bits are the signal, the next byte the exit status.
    self = status & 0x7f == 0 ? .exit((status >> 8) & 0xff) : .signal(status & 0x7f)
  }

  var description: String {
    switch self {
    case .exit(let code): "exit status \(code)"
    case .signal(let number): "signal \(number)"
    }
  }
}

/// Everything that a program has shown so far.
struct Seen: CustomStringConvertible {
  var output = ""
  var errors = ""
  var statusText = ""
  var ending: Ending?

  var lines: [Substring] { output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() }
  /// Complete lines of the status file only.
  var status: [StatusLine] {
    statusText.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { StatusLine($0) }
  }

  var description: String {
    """
    \(ending.map { "ended with \($0)" } ?? "still running")
    --- stdout
    \(output.suffix(4000))
    --- stderr
    \(errors.suffix(4000))
    --- status
    \(statusText.suffix(4000))
    """
  }
}

/// A process whose output goes to files of the workspace, so that nothing it writes can block it or the test, and whose
/// standard input is a pipe that the test holds.
final class RunningProgram {
  let pid: pid_t
  let command: [String]
  let statusFile: String
  private let outputFile: String
  private let errorFile: String
  private var input: FileHandle?
  private var ending: Ending?

  /// No variable of the tests' own environment reaches the program, apart from those that tools need.
  static let baseEnvironment: [String: String] = [
    "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C",
  ]

  /// - Parameter status: whether LD_STATUS_INFO is set to `statusFile`, unless the environment sets it otherwise.
  init(in workspace: Workspace, _ command: [String], environment: [String: String] = [:], status: Bool = false) throws
  {
    self.command = command
    outputFile = workspace.unused("stdout")
    errorFile = workspace.unused("stderr")
    statusFile = workspace.unused("status")
    var variables = Self.baseEnvironment.merging(environment) { $1 }
    if status, variables["LD_STATUS_INFO"] == nil { variables["LD_STATUS_INFO"] = statusFile }
    // A named pipe: its descriptor closes on exec from the start, so that no other test's program holds it open.
    let inputFile = workspace.unused("stdin")
    guard mkfifo(inputFile, 0o600) == 0 else { throw Failure("mkfifo: \(String(cString: strerror(errno)))") }
    let end = open(inputFile, O_RDWR | O_CLOEXEC)
    guard end >= 0 else { throw Failure("open \(inputFile): \(String(cString: strerror(errno)))") }
    input = FileHandle(fileDescriptor: end, closeOnDealloc: true)
    pid = try spawn(
      command, environment: variables, directory: workspace.path, input: inputFile, output: outputFile,
      errors: errorFile)
  }

  deinit {
    try? input?.close()
    if ending == nil, reap() == nil {
      kill(pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
  }

  var seen: Seen {
    // The ending first: what is read afterwards is then complete.
    let ending = reap()
    return Seen(
      output: Self.text(outputFile), errors: Self.text(errorFile), statusText: Self.text(statusFile), ending: ending)
  }

  /// The thread ids of the process.
  var threads: Set<Int> {
    Set(((try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []).compactMap { Int($0) })
  }

  /// Where a thread may run: Cpus_allowed_list of its status (proc(5)).
  func processors(ofThread thread: Int) -> String {
    let lines = Self.text("/proc/\(pid)/task/\(thread)/status").split(separator: "\n")
    return lines.first { $0.hasPrefix("Cpus_allowed_list:") }.map(String.init) ?? ""
  }

  /// The lines of /proc/PID/maps.
  var mappings: [Substring] { Self.text("/proc/\(pid)/maps").split(separator: "\n") }

  /// Writes to the program's standard input: at most what a pipe holds, unless the program reads.
  func send(_ text: String) throws { try input?.write(contentsOf: Data(text.utf8)) }

  func signal(_ number: Int32) { if reap() == nil { kill(pid, number) } }

  /// Closes the program's standard input, at which long-running test programs end.
  func closeInput() {
    try? input?.close()
    input = nil
  }

  /// Waits until `condition` returns something. Fails with everything seen when the time is over, or at once when the
  /// program has ended without it.
  @discardableResult
  func wait<Result>(
    for event: String, atMost limit: Duration = .seconds(120), _ condition: (Seen) throws -> Result?
  ) async throws -> Result {
    let deadline = ContinuousClock.now + limit
    while true {
      let seen = seen
      if let result = try condition(seen) { return result }
      if seen.ending != nil || ContinuousClock.now > deadline {
        throw Failure("\(command.joined(separator: " ")): waited for \(event); \(seen)")
      }
      try await Task.sleep(for: .milliseconds(3))
    }
  }

  /// Closes the input and waits for the end.
  @discardableResult
  func end(atMost limit: Duration = .seconds(120)) async throws -> Ending {
    closeInput()
    return try await wait(for: "its end", atMost: limit) { $0.ending }
  }

  private func reap() -> Ending? {
    if let ending { return ending }
    var status: Int32 = 0
    if waitpid(pid, &status, WNOHANG) == pid { ending = Ending(status: status) }
    return ending
  }

  private static func text(_ file: String) -> String {
    // Not Data(contentsOf:): files of /proc have no size.
    guard let handle = FileHandle(forReadingAtPath: file) else { return "" }
    defer { try? handle.close() }
    return String(decoding: (try? handle.readToEnd()) ?? Data(), as: UTF8.self)
  }
}
