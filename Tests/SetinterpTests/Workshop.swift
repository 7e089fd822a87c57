import Foundation
import Testing

@testable import InterpCore

/// A directory for one test, and the tools that make and run programs in it.
final class Workshop {
  let directory: String
  static let loader = "/lib64/ld-linux-x86-64.so.2"

  init() throws {
    var template = Array("/tmp/setinterp-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(text: "mkdtemp: \(errno)") }
    directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  struct Failure: Error { let text: String }

  struct Outcome: Equatable {
    let status: Int32
    let output: String
    let errors: String
  }

  func path(_ name: String) -> String { directory + "/" + name }

  /// A copy of the system's loader under a path that is longer than any usual one.
  func loaderCopy(_ name: String = "a-loader-with-a-name-that-does-not-fit-in-place.so") throws -> String {
    let path = path(name)
    if !FileManager.default.fileExists(atPath: path) {
      try shell("cp -L \"$1\" \"$2\"", Workshop.loader, path)
    }
    return path
  }

  func resolved(_ path: String) throws -> String {
    guard let real = realpath(path, nil) else { throw Failure(text: "realpath \(path)") }
    defer { free(real) }
    return String(cString: real)
  }

  func read(_ path: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else { throw Failure(text: "can't read \(path)") }
    return [UInt8](data)
  }

  /// An executable file. Another process writes it: the descriptor would be inherited by whatever other tests
  /// start meanwhile, and as long as it is open anywhere the file is busy.
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    let path = path(name)
    let data = path + ".data"
    guard FileManager.default.createFile(atPath: data, contents: Data(bytes)),
      try shell("rm -f \"$2\" && cp \"$1\" \"$2\" && chmod 755 \"$2\" && rm \"$1\"", data, path).status == 0
    else { throw Failure(text: "can't write \(path)") }
    return path
  }

  /// Runs a shell command with positional parameters.
  @discardableResult
  func shell(_ script: String, _ arguments: String...) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", script, "sh"] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    var environment = ProcessInfo.processInfo.environment
    environment["PATH"] = (environment["PATH"] ?? "") + ":/opt/swift/usr/bin:/usr/sbin:/sbin"
    environment["LC_ALL"] = "C"
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    // Files instead of pipes: nobody has to read while the process runs.
    let number = UInt64.random(in: 0 ... .max)
    let names = ("\(directory)-out-\(number)", "\(directory)-err-\(number)")
    for name in [names.0, names.1] { _ = FileManager.default.createFile(atPath: name, contents: nil) }
    defer { for name in [names.0, names.1] { unlink(name) } }
    process.standardOutput = FileHandle(forWritingAtPath: names.0)
    process.standardError = FileHandle(forWritingAtPath: names.1)
    try process.run()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: String(decoding: try read(names.0), as: UTF8.self),
      errors: String(decoding: try read(names.1), as: UTF8.self))
  }

  static let source = """
    #include <errno.h>
    #include <stdio.h>
    #include <string.h>
    static int zeros[50000];
    static __thread int own = 41;
    int value = 1;
    int main(int argc, char **argv) {
      int sum = 0;
      for (int i = 0; i < 50000; i++) sum += zeros[i];
      own += value;
      printf("%d %d %d %s\\n", argc, sum, own, strerror(ENOENT));
      return 7;
    }
    """

  /// Compiles `source`; nil: the compiler or linker for these flags is not there.
  func compile(_ flags: String, name: String = "program") throws -> String? {
    let program = path(name)
    let input = path(name + ".c")
    try Workshop.source.write(toFile: input, atomically: true, encoding: .utf8)
    let outcome = try shell("gcc -O1 $3 \"$1\" -o \"$2\"", input, program, flags)
    unlink(input)
    return outcome.status == 0 ? program : nil
  }

  /// The command of this build, which lies beside the test program.
  func setinterpPath() throws -> String? {
    let candidates =
      [try resolved("/proc/self/exe")] + ProcessInfo.processInfo.arguments.filter { $0.hasSuffix(".xctest") }
    return candidates.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path + "/setinterp" }
      .first { access($0, X_OK) == 0 }
  }

  func setinterp(_ arguments: String...) throws -> Outcome {
    guard let command = try setinterpPath() else { throw Failure(text: "no setinterp beside the test program") }
    let quoted = arguments.map { "'" + $0.replacingOccurrences(of: "'", with: "'\\''") + "'" }
    return try shell("exec \"$1\" \(quoted.joined(separator: " "))", command)
  }

  /// Lines of complaints of readelf and eu-elflint (where installed), without the file's name.
  func complaints(_ path: String) throws -> Set<String> {
    let readelf = try shell("readelf -aW \"$1\" 2>&1 >/dev/null", path).output
    let lint = try shell("command -v eu-elflint >/dev/null && eu-elflint --gnu-ld \"$1\" 2>&1", path).output
    let lines = (readelf + lint).split(separator: "\n").map { $0.replacingOccurrences(of: path, with: "") }
    return Set(lines.filter { $0 != "No errors" })
  }

  func interpreter(_ path: String) throws -> String {
    String(decoding: try InterpreterEditor.interpreter(of: try read(path)), as: UTF8.self)
  }
}

extension String {
  var bytes: [UInt8] { Array(utf8) }
}
