import Bean
import Foundation

/// Two versions of a library, compiled from C (or assembly) while the test runs.
struct CompiledPair {
  struct BuildError: Error, CustomStringConvertible {
    let description: String
  }

  let old: Bytes
  let new: Bytes

  /// Stripped, as distributions ship libraries: names of static variables and functions don't help.
  static let defaultOptions = ["-O2", "-s"]

  init(
    _ old: String, _ new: String, options: [String] = defaultOptions, newOptions: [String]? = nil,
    language: String = "c"
  ) throws {
    self.old = try CompiledPair.build(old, options, language)
    self.new = try CompiledPair.build(new, newOptions ?? options, language)
  }

  func verdict(isUsed: (Bytes, Bytes) -> Bool = { (_, _) in true }) throws -> Verdict {
    try Bean.compare(old: old, new: new, isUsed: isUsed)
  }

  /// The codes of all reasons, sorted, each once; empty: accepted.
  func codes() throws -> [String] { try verdict().codes }

  private static func build(_ source: String, _ options: [String], _ language: String) throws -> Bytes {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let input = directory.appendingPathComponent("source." + language)
    let output = directory.appendingPathComponent("lib.so")
    try source.write(to: input, atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/gcc")
    process.arguments = ["-shared", "-fPIC", "-w"] + options + ["-o", output.path, input.path]
    let messages = Pipe()
    process.standardError = messages
    try process.run()
    let text = messages.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw BuildError(description: String(decoding: text, as: UTF8.self))
    }
    return TestFile.keep([UInt8](try Data(contentsOf: output)))
  }
}

extension Verdict {
  var codes: [String] { Array(Set(reasons.map { $0.kind.code.description })).sorted() }

  /// All reasons as text, for messages of failed expectations.
  var text: String {
    reasons.map { (reason) in
      var sink = Text()
      sink.append(reason)
      return String(decoding: sink.bytes, as: UTF8.self)
    }.joined(separator: "\n")
  }
}
