import Foundation
import Testing

/// The command itself: options, exit codes, what goes where.
@Suite(.timeLimit(.minutes(3)))
struct CommandLineTests {
  let library = try! Library()

  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  /// The command of this build, which lies beside the test program.
  private func command() throws -> URL {
    struct Missing: Error {}
    let candidates =
      [URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path]
      + ProcessInfo.processInfo.arguments.filter { $0.hasSuffix(".xctest") }
    for candidate in candidates {
      let folder = URL(fileURLWithPath: candidate).deletingLastPathComponent()
      for name in ["bean", "BeanCommand"] where access(folder.appendingPathComponent(name).path, X_OK) == 0 {
        return folder.appendingPathComponent(name)
      }
    }
    throw Missing()
  }

  private func bean(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
    let process = Process()
    process.executableURL = try command()
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let names = (library.file(UUID().uuidString), library.file(UUID().uuidString))
    for name in [names.0, names.1] { _ = FileManager.default.createFile(atPath: name, contents: nil) }
    process.standardOutput = FileHandle(forWritingAtPath: names.0)
    process.standardError = FileHandle(forWritingAtPath: names.1)
    try process.run()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: try String(contentsOfFile: names.0, encoding: .utf8),
      errors: try String(contentsOfFile: names.1, encoding: .utf8))
  }

  /// 0 the same or good, 1 different or not, 2 could not be told.
  @Test func exitCodes() throws {
    let old = try library.build(Source.base)
    let new = try library.build(try Source.mutated("x * 7", "x * 11"))
    let bad = try library.build(try Source.mutated("second = 4", "second = 5"))
    let text = library.file("text")
    try "no library".write(toFile: text, atomically: true, encoding: .utf8)
    let expected: [([String], Int32)] = [
      (["diff", old, old], 0), (["diff", old, new], 1), (["check", old, new], 0), (["check", old, bad], 1),
      (["compare", old, new], 0), (["compare", old, new, bad], 1), (["find-debug", old], 1), (["hash", old], 0),
      (["map", old, new], 0), (["graph", old], 0), (["graph", old, new], 0), (["diffstat", old, new], 0),
      (["--help"], 0), (["help", "diff"], 0), (["--version"], 2), ([], 0),
    ]
    for (arguments, status) in expected {
      let outcome = try bean(arguments)
      #expect(outcome.status == status, "\(arguments): \(outcome)")
    }
    for command in ["diff", "check", "diffstat", "map", "compare", "graph"] {
      for pair in [[text, old], [old, text], [old, "/missing"], [library.directory.path, old]] {
        let outcome = try bean([command] + pair)
        #expect(outcome.status == 2, "\(command) \(pair)")
        let said = command == "check" ? outcome.output : outcome.errors
        #expect(said.split(separator: "\n").count == 1, "\(command) \(pair): \(outcome)")
      }
    }
    for command in ["hash", "debug-hash", "find-debug"] {
      for file in [text, "/missing", library.directory.path] { #expect(try bean([command, file]).status == 2) }
    }
  }

  @Test(arguments: [
    ["diff"], ["diff", "one"], ["diff", "one", "two", "three"], ["diff", "--nonsense", "one", "two"], ["nonsense"],
    ["check", "one"], ["graph"], ["graph", "1", "2", "3"], ["graph", "-c", "1"], ["compare"], ["hash"],
    ["hash", "1", "2"],
    ["debug-hash", "serve"], ["debug-hash", "serve", "-l", "nowhere"], ["find-debug"],
  ])
  func wrongUsage(_ arguments: [String]) throws {
    let outcome = try bean(arguments)
    #expect(outcome.status == 2)
    #expect(outcome.output == "")
    #expect(outcome.errors.contains("Usage: bean"), "\(outcome.errors)")
  }

  /// Every option is taken by every command it is common to, and no output but a terminal's has colours.
  @Test func options() throws {
    let old = try library.build(Source.base, ["-O1", "-g"])
    let new = try library.build(try Source.mutated("x * 7", "x * 11"), ["-O1", "-g"])
    for command in ["diff", "diffstat", "map", "compare", "graph", "hash", "debug-hash", "find-debug"] {
      let files = ["hash", "debug-hash", "find-debug"].contains(command) ? [old] : [old, new]
      for option in ["-r", "-R", "-d", "-s", "-k", "-i", "-ii", "-iii", "-v", "-vv", "-vvv", "-rRdskiiivvv"] {
        let outcome = try bean([command, option] + files, environment: ["TERM": "xterm"])
        #expect(outcome.status != 2 && outcome.errors == "", "\(command) \(option): \(outcome)")
        #expect(!outcome.output.contains("\u{1b}"))
      }
      #expect(try bean([command, "-b", library.directory.path] + files).status != 2)
    }
  }

  /// script(1) gives it a terminal.
  @Test(.enabled(if: access("/usr/bin/script", X_OK) == 0, "no script(1): package bsdutils"))
  func coloursOnTerminalsOnly() throws {
    let old = try library.build(Source.base)
    let new = try library.build(try Source.mutated("x * 7", "x * 11"))
    let line = "\(try command().path) diff \(old) \(new); true"
    for (setting, isColoured) in [
      ("TERM=xterm NO_COLOR=", true), ("TERM=xterm NO_COLOR=1", false), ("TERM=dumb", false),
    ] {
      let output = try library.run("/usr/bin/script", ["-qec", "\(setting) \(line)", "/dev/null"])
      #expect(output.contains("~ function"))
      #expect(output.contains("\u{1b}[33m~ function") == isColoured, "\(setting)")
    }
  }
}
