import SystemPackage

/// A file that can't be read or written, and why: one line.
public struct FileError: Error, Equatable, CustomStringConvertible {
  public let path: String
  public let reason: String

  public init(_ path: String, _ reason: String) {
    self.path = path
    self.reason = reason
  }

  /// `doing`: what did not work, where the error alone does not tell.
  init(_ path: String, _ error: any Error, doing: String? = nil) {
    let reason = (error as? Errno)?.description ?? "\(error)"
    self.init(path, doing.map { "\($0): \(reason)" } ?? reason)
  }

  public var description: String { "\(path): \(reason)" }
}
