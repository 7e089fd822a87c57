import Glibc
import SystemPackage

/// Puts new content in the place of a file's old one, so that a failure leaves the old file.
///
/// A file with one name is replaced: the content goes into a new file in the same directory, gets owner, mode and
/// extended attributes of the old one, is written out (fsync) and renamed over the old name. Running processes keep
/// the old file; there is no moment without a whole file, even if the machine stops.
///
/// A file with several names (hard links) must stay one file. It is rewritten in place, only where bytes differ; a
/// copy beside it exists until that is done, and an error puts the old bytes back. The same way is taken where the
/// directory does not allow a replacement (not writable, a mount point, another owner). Here the kernel answers
/// "Text file busy" while the program runs.
///
/// The modification time is that of the change: tools that compare times must see it.
public struct Installation {
  let content: [UInt8]
  /// Mode, owner and attributes to give.
  let model: TargetFile
  /// false: what can't be kept becomes a warning. For a copy elsewhere.
  let isStrict: Bool
  public private(set) var warnings: [String] = []

  private init(_ content: [UInt8], model: TargetFile, isStrict: Bool) {
    self.content = content
    self.model = model
    self.isStrict = isStrict
  }

  /// Changes `file` itself; does nothing where nothing changes.
  public static func replace(_ file: TargetFile, with content: [UInt8]) throws(FileError) {
    if content == file.content { return }
    var installation = Installation(content, model: file, isStrict: true)
    try installation.replace(file)
  }

  /// Writes a copy of `model` with other content to `name`. Returns warnings about what a copy can't have.
  public static func write(_ content: [UInt8], like model: TargetFile, to name: String) throws(FileError) -> [String]
  {
    var installation = Installation(content, model: model, isStrict: false)
    if access(name, F_OK) == 0 {
      let old = try TargetFile(name)
      if old.isSameFile(model) {
        try replace(model, with: content)
      } else {
        try installation.replace(old)
      }
    } else {
      let path = FilePath(name)
      let status = try? Stat(path, followTargetSymlink: false)
      guard status == nil else { throw FileError(name, "dangling symbolic link") }
      guard try installation.rename(over: path, name: name) else {
        throw FileError(name, Errno(rawValue: errno))
      }
    }
    return installation.warnings
  }

  private mutating func replace(_ old: TargetFile) throws(FileError) {
    guard faccessat(AT_FDCWD, old.path.string, W_OK, AT_EACCESS) == 0 else {
      throw FileError(old.name, Errno(rawValue: errno))
    }
    do {
      guard old.isUnchanged(try Stat(old.path)) else {
        throw FileError(old.name, "changed by somebody else at the same time")
      }
    } catch let error as FileError {
      throw error
    } catch {
      throw FileError(old.name, error)
    }
    if old.status.linkCount == 1, try rename(over: old.path, name: old.name) { return }
    try rewrite(old)
  }

  /// false: the directory or the file system does not let us; nothing has changed, and errno tells why.
  private mutating func rename(over path: FilePath, name: String) throws(FileError) -> Bool {
    guard let (temporary, file) = Installation.temporary(beside: path) else { return false }
    do {
      try file.closeAfter {
        try file.writeAll(content)
        try giveAttributes(to: file, name: name)
        try Installation.sync(file)
      }
    } catch {
      unlink(temporary.string)
      if let error = error as? OwnerError {
        errno = error.errno.rawValue
        return false
      }
      throw (error as? FileError) ?? FileError(name, error, doing: "can't write the new file beside it")
    }
    guard Glibc.rename(temporary.string, path.string) == 0 else {
      let error = errno
      unlink(temporary.string)
      errno = error
      return false
    }
    Installation.syncDirectory(of: path)
    return true
  }

  private struct OwnerError: Error {
    let errno: Errno
  }

  /// Owner first, since changing it takes away set-user-ID and capabilities; the mode last, since an access
  /// control list sets a part of it.
  private mutating func giveAttributes(to file: FileDescriptor, name: String) throws {
    let descriptor = file.rawValue
    var mode = model.status.permissions.rawValue
    let current = try Stat(file)
    if current.userID != model.status.userID || current.groupID != model.status.groupID,
      fchown(descriptor, model.status.userID.rawValue, model.status.groupID.rawValue) != 0
    {
      if isStrict { throw OwnerError(errno: Errno(rawValue: errno)) }
      // Another owner's rights are not given to this one's file.
      if mode & 0o6000 != 0 { warnings.append("\(name): set-user-ID and set-group-ID are not kept: other owner") }
      mode &= ~0o6000
    }
    do throws(ExtendedAttributes.Failure) {
      try model.attributes.apply(to: file)
    } catch {
      let failure = FileError(name, error.errno, doing: "can't keep the attribute \(error.name)")
      if isStrict { throw failure }
      warnings.append(failure.description)
    }
    if try Stat(file).permissions.rawValue == mode { return }
    guard fchmod(descriptor, mode) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Writing takes away set-user-ID and capabilities. Who can't give them back must not write.
  private static func checkRights(_ file: FileDescriptor, _ old: TargetFile) throws(FileError) {
    let mode = old.status.permissions.rawValue
    if mode & 0o6000 != 0, fchmod(file.rawValue, mode) != 0 {
      throw FileError(old.name, Errno(rawValue: errno), doing: "can't keep set-user-ID or set-group-ID")
    }
    do throws(ExtendedAttributes.Failure) {
      try old.attributes.capabilities.apply(to: file, always: true)
    } catch {
      throw FileError(old.name, error.errno, doing: "can't keep the attribute \(error.name)")
    }
  }

  /// In place, with a way back.
  private mutating func rewrite(_ old: TargetFile) throws(FileError) {
    let file: FileDescriptor
    do {
      file = try FileDescriptor.open(old.path, .writeOnly, options: [.closeOnExec])
    } catch {
      let names = old.status.linkCount > 1 ? "it has \(old.status.linkCount) names and " : ""
      throw FileError(old.name, error, doing: "\(names)has to be rewritten in place")
    }
    defer { _ = try? file.close() }
    try Installation.checkRights(file, old)
    let backup = try Installation.backup(of: old)
    do {
      try Installation.rewrite(file, from: old.content, to: content)
      try giveAttributes(to: file, name: old.name)
      try Installation.sync(file)
    } catch {
      let first = (error as? FileError) ?? FileError(old.name, error)
      throw rollBack(file, old, backup: backup, after: first)
    }
    if let backup { unlink(backup.string) }
  }

  private func rollBack(
    _ file: FileDescriptor, _ old: TargetFile, backup: FilePath?, after first: FileError
  ) -> FileError {
    do {
      // Over what is there, without cutting it off first: on a full disk freed blocks may not come back.
      try Installation.rewrite(file, from: content, to: old.content)
      _ = fchmod(file.rawValue, old.status.permissions.rawValue)
      try? old.attributes.apply(to: file)
      try Installation.sync(file)
      if let backup { unlink(backup.string) }
      return first
    } catch {
      let copy = backup.map { "; the old content is in \($0.string)" } ?? ""
      return FileError(old.name, "\(first.reason); putting the old content back failed as well\(copy)")
    }
  }
}
