import Foundation
import Testing

/// Unchanged programs of the system, started through the loader.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct SystemProgramTests {
  let workspace = try! Workspace()

  struct Call: CustomTestStringConvertible {
    let command: [String]
    var input = ""
    var testDescription: String { command.joined(separator: " ") }
  }

  static let calls: [Call] = [
    Call(command: ["/bin/true"]),
    Call(command: ["/bin/false"]),
    Call(command: ["/bin/ls", "-la", "/usr/share"]),
    Call(command: ["/bin/ls", "/there/is/nothing"]),
    Call(command: ["/bin/cat"], input: "from the standard input\n"),
    Call(command: ["/bin/sh", "-c", "exit 17"]),
    Call(
      command: ["/bin/bash", "-c", "echo $((6 * 7)); read line; echo \"<$line>\"; kill -TERM $$"], input: "line\n"),
    Call(command: ["/usr/bin/env"]),
    Call(command: ["/usr/bin/sort", "-n"], input: "10\n9\n100\n"),
    Call(command: ["/usr/bin/grep", "-c", "é"], input: "é\nb\n"),
    Call(command: ["/usr/bin/gzip", "-c"], input: String(repeating: "some text ", count: 1000)),
    Call(command: ["/usr/bin/id"]),
    Call(command: [
      "/usr/bin/perl", "-e", "use POSIX; print join(',', map { $_ * 2 } 1..5), floor(2.5), \"\\n\"; exit 3",
    ]),
    Call(command: [
      "/usr/bin/python3", "-c", "import ssl, json, ctypes, threading; print(json.dumps({'a': [1, 2.5]}))",
    ]),
    Call(command: ["/usr/bin/python3", "-c", "import sys; print(sys.argv, sys.version); sys.exit(4)", "x"]),
    Call(command: ["/usr/bin/gcc", "--version"]),
    Call(command: ["/usr/bin/git", "--version"]),
    Call(command: ["/usr/bin/curl", "--version"]),
    Call(command: ["/usr/bin/openssl", "dgst", "-sha256"], input: "text"),
    Call(command: ["/usr/bin/gdb", "--version"]),
  ].filter { Luci.exists($0.command[0]) }

  @Test(arguments: calls)
  func behavesAsBefore(call: Call) async throws {
    try await Subject.installed(in: workspace, call.command[0])
      .compare(Array(call.command.dropFirst()), ways: [.direct], input: call.input)
  }

  /// A copy of a distribution's binary whose interpreter was changed.
  @Test(.enabled(if: Luci.setinterp != nil, "no setinterp beside the loader"), arguments: ["/bin/ls", "/bin/bash"])
  func behavesAsBeforeAfterSetinterp(original: String) async throws {
    let loader = try #require(Luci.loader)
    let setinterp = try #require(Luci.setinterp)
    let path = workspace.file("program")
    let subject = Subject(workspace: workspace, path: path) { [workspace] start in
      try await workspace.install(path, from: original)
      if start == .interpreter { try await workspace.run(setinterp, [path, loader]) }
    }
    let arguments = original == "/bin/ls" ? ["-la", "/usr"] : ["-c", "echo $0 $1; exit 5", "zero", "one"]
    let reference = try await subject.compare(arguments, ways: [.interpreter])
    #expect(!reference.output.isEmpty)
  }
}
