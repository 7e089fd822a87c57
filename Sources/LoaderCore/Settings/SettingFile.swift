import CKernel

/// Reading the configuration file, before anything else works but system calls and the heap.
extension Settings {
  /// Where it lies when nothing else was configured at installation.
  public static var defaultFile: StaticString { "/opt/luci/ld-luci.conf" }
  /// More is not a configuration file.
  static var fileLimit: UInt64 { 64 << 10 }

  /// Settings of the file, if it is there. What is no regular file, too large, unreadable, or belongs to or can be
  /// written by the wrong people is passed over with a warning: it could otherwise preload code into other users'
  /// programs. A set-user-ID program takes root's file only.
  public mutating func read(fileAt path: Path) {
    do throws(Errno) {
      let content = try Settings.content(of: path, isSecure: isSecure)
      content.withUnsafeBytes { read(file: Bytes($0)) }
    } catch {
      if error == .noEntry || error.number == ENOTDIR { return }
      var text = Text("configuration file ")
      path.withBytes { text.append(printable: $0, limit: 200) }
      text.append(" not used: ")
      text.append(error.text)
      warn(text)
    }
  }

  private static func content(of path: Path, isSecure: Bool) throws(Errno) -> [UInt8] {
    let file = try FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
    defer { file.close() }
    let status = try file.status()
    guard status.isRegular else { throw Errno.invalid }
    guard status.size <= fileLimit else { throw Errno.tooLarge }
    guard isAcceptable(status, isSecure: isSecure, user: Credentials.effectiveUser) else {
      throw Errno.notPermitted
    }
    return try file.content(size: status.size)
  }

  static func isAcceptable(_ status: FileStatus, isSecure: Bool, user: UInt32) -> Bool {
    if isSecure {
      return status.owner == 0 && !status.isWorldWritable && !(status.isGroupWritable && status.group != 0)
    }
    return (status.owner == 0 || status.owner == user) && !status.isWorldWritable
  }
}

extension Array where Element == UInt8 {
  /// One read(2) into the array from index `offset` on; returns the number of bytes, 0 at the end of the file.
  mutating func fill(from file: FileDescriptor, at offset: Int) throws(Errno) -> Int {
    let result = withUnsafeMutableBytes { buffer -> Result<Int, Errno> in
      do throws(Errno) {
        return .success(try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[offset...])))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
