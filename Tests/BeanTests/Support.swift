import Bean
import Foundation

/// Files and bytes for tests. The memory is never given back, so that `Bytes` over it stays valid.
enum TestFile {
  static func read(_ path: String) -> Bytes? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return keep([UInt8](data))
  }

  static func keep(_ content: [UInt8]) -> Bytes {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(content.count, 1), alignment: 16)
    memory.copyBytes(from: content)
    return Bytes(UnsafeRawBufferPointer(rebasing: memory[0..<content.count]))
  }

  /// An installed library of the system, by its file name; nil where this system has none.
  static func library(_ name: String) -> Bytes? {
    for directory in ["/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib64/", "/usr/lib64/"] {
      if let bytes = read(directory + name) { return bytes }
    }
    return nil
  }
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct TestRandom {
  var state: UInt64
  init(_ seed: UInt64) { state = seed | 1 }
  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }
  mutating func below(_ limit: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % max(limit, 1) }
}

/// Tools of the system that tests compare with or make their input by.
enum TestTool {
  /// Runs a program that is found through PATH; its standard output, or nil where it fails or is not there.
  static func run(_ arguments: [String]) -> String? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
  }

  /// The shared object that a C++ compiler makes of `source`.
  static func compile(_ source: String, _ options: [String]) throws -> (path: String, bytes: Bytes)? {
    let directory = FileManager.default.temporaryDirectory.path + "/luci-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let input = directory + "/input.cpp"
    let output = directory + "/output.so"
    try Data(source.utf8).write(to: URL(fileURLWithPath: input))
    guard run(["g++", "-shared", "-fPIC", "-O2"] + options + ["-o", output, input]) != nil,
      let bytes = TestFile.read(output)
    else { return nil }
    return (output, bytes)
  }
}
