import CKernel

/// A debugger, or rr, that follows the process.
enum Tracer {
  static var recorder: StaticString { "rr records the process" }

  static var isPresent: Bool {
    guard let status = try? FileDescriptor.textOfProcess("/proc/self/status") else { return false }
    return status.withUnsafeBytes { isFollowed(Bytes($0)) }
  }

  /// Whether the one that is present is rr, which replays what system calls returned, but no page faults. It tells its
  /// programs by a variable of their environment, as it was at their start; their children may have lost rr since.
  static var isRecorder: Bool {
    guard let variables = try? FileDescriptor.textOfProcess("/proc/self/environ") else { return false }
    return variables.withUnsafeBytes { isRecorded(Bytes($0)) }
  }

  /// From the lines of /proc/PID/status.
  static func isFollowed(_ status: Bytes) -> Bool {
    for line in Fields(status, separator: 10) where line.hasPrefix("TracerPid:") {
      return line.suffix(from: 10)?.trimmed != Bytes("0")
    }
    return false
  }

  /// From the strings of /proc/PID/environ.
  static func isRecorded(_ environment: Bytes) -> Bool {
    for variable in Fields(environment, separator: 0) where variable.hasPrefix("RUNNING_UNDER_RR=") {
      return variable.count > 17 && variable[17] != 48
    }
    return false
  }

  private struct Fields: Sequence, IteratorProtocol {
    let text: Bytes
    let separator: UInt8
    var start = 0

    init(_ text: Bytes, separator: UInt8) { (self.text, self.separator) = (text, separator) }

    mutating func next() -> Bytes? {
      guard start < text.count else { return nil }
      var end = start
      while end < text.count, text[end] != separator { end += 1 }
      defer { start = end + 1 }
      return text.slice(at: UInt64(start), count: UInt64(end - start))
    }
  }
}
