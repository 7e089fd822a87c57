import CKernel

/// Reading the configuration file, before anything else works but system calls and the heap.
extension Settings {
  /// Names in the directory that Luci was built for (LUCI_PREFIX, else /opt/luci).
  public static var fileName: StaticString { "ld-luci.conf" }
  public static var libraryFileName: StaticString { "libpath.conf" }
  /// More is not a configuration file.
  static var fileLimit: UInt64 { 64 << 10 }

  /// Settings of the file, if it is there. What is no regular file, too large, unreadable, or belongs to or can be
  /// written by the wrong people is passed over with a warning: it could otherwise preload code into other users'
  /// programs. A set-user-ID program takes root's file only.
  public mutating func read(fileAt path: Path) {
    guard let content = content(ofConfiguration: path) else { return }
    content.withUnsafeBytes { read(file: Bytes($0)) }
  }

  /// LD_LIBRARY_CONF: directories, one per line; `#` starts a comment line. Relative ones do not count.
  public mutating func readLibraryDirectories(preset: Path) -> [Path] {
    let asked = libraryConfiguration
    guard let content = content(ofConfiguration: asked ?? preset, mayBeMissing: asked == nil) else { return [] }
    return content.withUnsafeBytes { buffer in
      Bytes(buffer).parts((10, 10), keepingEmpty: false).compactMap { line in
        line.withBytes { bytes in
          let name = bytes.trimmed
          return name.count > 0 && name[0] == 47 && !name.containsNUL ? Path(name) : nil
        }
      }
    }
  }

  /// nil: it is not there, or a warning says why it does not count. Who named a file meant one that is there.
  private mutating func content(ofConfiguration path: Path, mayBeMissing: Bool = true) -> [UInt8]? {
    do throws(Errno) { return try Settings.content(of: path, isSecure: isSecure) } catch {
      if mayBeMissing, error == .noEntry || error.number == ENOTDIR { return nil }
      var text = Text("configuration file ")
      path.withBytes { text.append(printable: $0, limit: 200) }
      text.append(" not used: ")
      text.append(error.text)
      warn(text)
      return nil
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
