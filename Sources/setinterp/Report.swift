import SystemPackage

/// Messages of one line. Paths are bytes: they go out as they are.
enum Report {
  static func output(_ line: [UInt8]) { put(line, to: .standardOutput) }
  static func error(_ text: String) { put(Array("setinterp: \(text)".utf8), to: .standardError) }
  static func warning(_ text: String) { put(Array("setinterp: warning: \(text)".utf8), to: .standardError) }
  static func note(_ text: String) { put(Array(text.utf8), to: .standardOutput) }

  /// A reader that has gone away is no failure of the change.
  private static func put(_ line: [UInt8], to stream: FileDescriptor) {
    _ = try? stream.writeAll(line + [UInt8(ascii: "\n")])
  }
}
