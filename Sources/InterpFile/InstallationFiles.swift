import Glibc
import SystemPackage

/// The steps of an installation that know nothing of owners and attributes.
extension Installation {
  /// A new, empty file in the directory of `path`, for its owner only; nil: errno tells why not.
  static func temporary(beside path: FilePath) -> (FilePath, FileDescriptor)? {
    let directory = path.removingLastComponent()
    let base = path.lastComponent?.string ?? "file"
    for _ in 0..<100 {
      // A long name gets a short one beside it: NAME_MAX is 255 bytes.
      let suffix = String(UInt64.random(in: 0 ... .max), radix: 36)
      let name = ".\(String(decoding: base.utf8.prefix(200), as: UTF8.self)).setinterp-\(suffix)"
      guard let component = FilePath.Component(name) else { return nil }
      let temporary = directory.appending(component)
      do {
        let file = try FileDescriptor.open(
          temporary, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec],
          permissions: [.ownerReadWrite])
        return (temporary, file)
      } catch {
        guard let error = error as? Errno, error == .fileExists else {
          errno = (error as? Errno)?.rawValue ?? EIO
          return nil
        }
      }
    }
    return nil
  }

  /// A copy of the old content beside it, on disk; nil where the directory takes no new file.
  static func backup(of old: TargetFile) throws(FileError) -> FilePath? {
    guard let (path, file) = temporary(beside: old.path) else { return nil }
    do {
      try file.closeAfter {
        try file.writeAll(old.content)
        try sync(file)
      }
      return path
    } catch {
      unlink(path.string)
      throw FileError(old.name, error, doing: "can't write a copy beside it")
    }
  }

  /// What is new at the end first, then what differs, in blocks; the size last where it shrinks.
  static func rewrite(_ file: FileDescriptor, from old: [UInt8], to new: [UInt8]) throws {
    let common = min(old.count, new.count)
    if new.count > common { try file.writeAll(toAbsoluteOffset: Int64(common), new[common...]) }
    let block = 4096
    for start in stride(from: 0, to: common, by: block) {
      let range = start..<min(start + block, common)
      if old[range] == new[range] { continue }
      try file.writeAll(toAbsoluteOffset: Int64(start), new[range])
    }
    if old.count > new.count { try file.resize(to: Int64(new.count)) }
  }

  static func sync(_ file: FileDescriptor) throws {
    guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Makes the new name durable. A file system that can't do that has no say in whether it worked.
  static func syncDirectory(of path: FilePath) {
    let parent = path.removingLastComponent()
    let directory = parent.isEmpty ? FilePath(".") : parent
    guard let file = try? FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec]) else {
      return
    }
    _ = fsync(file.rawValue)
    _ = try? file.close()
  }
}
