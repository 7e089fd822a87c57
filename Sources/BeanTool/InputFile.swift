import Bean
import Foundation

/// Why a command can't do what it was asked for: one line, exit code 2.
public struct ToolError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// A file's content in memory of its own: what is analysed can't change, or be cut off, meanwhile.
///
/// The memory is never given back: `Bytes`, and all that is made from them, refer to it without keeping it, and a
/// command ends soon. What runs for long, or only glances at a file, uses `withContent`.
public struct InputFile {
  public let path: String
  private let memory: UnsafeMutableRawPointer
  private let count: Int

  public var bytes: Bytes { Bytes(start: memory, count: count) }

  /// Larger files are no shared objects that any loader would map.
  private static var maximumSize: Int { 1 << 34 }

  /// Throws `ToolError` with the path and the system's message.
  public init(_ path: String) throws {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw InputFile.error(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw InputFile.error(path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw ToolError("\(path): not a regular file") }
    guard status.st_size <= InputFile.maximumSize, let memory = malloc(max(Int(status.st_size), 1)) else {
      throw ToolError("\(path): too large")
    }
    var filled = 0
    while filled < status.st_size {
      let count = read(descriptor, memory + filled, Int(status.st_size) - filled)
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        let error = InputFile.error(path)
        free(memory)
        throw error
      }
      filled += count
    }
    self.memory = memory
    count = filled
  }

  /// Calls `body` with a file's content, which is gone afterwards.
  public static func withContent<R>(of path: String, _ body: (Bytes) throws -> R) throws -> R {
    let file = try InputFile(path)
    defer { free(file.memory) }
    return try body(file.bytes)
  }

  private static func error(_ path: String) -> ToolError { ToolError("\(path): \(String(cString: strerror(errno)))") }
}

extension ELFError {
  /// The reader's words for what is wrong with `path`, as the loader says it.
  func message(_ path: String) -> ToolError {
    let reason = String(bytes: Bytes(self.reason.text))
    if self.reason.isAboutHeader { return ToolError("\(path): \(reason)") }
    return ToolError("\(path): \(reason) (at 0x\(String(offset, radix: 16)))")
  }
}

extension String {
  init(bytes: Bytes) { self = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
