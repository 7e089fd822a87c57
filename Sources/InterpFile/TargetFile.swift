import Glibc
import SystemPackage

/// A file by its real name, as it was when it was read.
public struct TargetFile {
  /// As the user named it, for messages.
  public let name: String
  /// Symbolic links resolved: the target is changed, a link stays.
  let path: FilePath
  let status: Stat
  let attributes: ExtendedAttributes
  public let content: [UInt8]

  public init(_ name: String) throws(FileError) {
    self.name = name
    path = try TargetFile.resolve(name)
    do {
      // Without O_NONBLOCK, opening a FIFO would wait for a writer.
      let file = try FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec])
      (status, attributes, content) = try file.closeAfter {
        let status = try Stat(file)
        guard status.type == .regular else {
          throw FileError(name, status.type == .directory ? "Is a directory" : "not a regular file")
        }
        return (status, try ExtendedAttributes(of: file), try TargetFile.read(file, size: Int(status.size)))
      }
    } catch let error as FileError {
      throw error
    } catch {
      throw FileError(name, error)
    }
  }

  static func resolve(_ name: String) throws(FileError) -> FilePath {
    guard let resolved = realpath(name, nil) else { throw FileError(name, Errno(rawValue: errno)) }
    defer { free(resolved) }
    return FilePath(platformString: resolved)
  }

  private static func read(_ file: FileDescriptor, size: Int) throws -> [UInt8] {
    var content = [UInt8](repeating: 0, count: max(size, 0))
    var filled = 0
    while filled < content.count {
      let count = try content.withUnsafeMutableBytes {
        try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
      }
      if count == 0 { break }
      filled += count
    }
    return Array(content.prefix(filled))
  }

  /// Why the kernel would not take `path` as an interpreter: missing, not executable; nil: nothing is known.
  public static func problem(executing path: String) -> FileError? {
    access(path, X_OK) == 0 ? nil : FileError(path, Errno(rawValue: errno))
  }

  /// Whether a file is this very one, unchanged.
  func isUnchanged(_ now: Stat) -> Bool {
    now.deviceID == status.deviceID && now.inode == status.inode && now.size == status.size
      && now.st_mtim.tv_sec == status.st_mtim.tv_sec && now.st_mtim.tv_nsec == status.st_mtim.tv_nsec
  }

  func isSameFile(_ other: TargetFile) -> Bool {
    other.status.deviceID == status.deviceID && other.status.inode == status.inode
  }
}
