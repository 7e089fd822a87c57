import CKernel

/// Why a file is not taken.
public enum FileRefusal: Error, Equatable {
  case foreignOwner(UInt32)
  case worldWritable
  case groupWritable(UInt32)
  case directoryWorldWritable
  case directoryGroupWritable(UInt32)
  case directoryUnknown(Errno)

  /// A stable word for programs.
  public var cause: StaticString {
    switch self {
    case .foreignOwner: "foreign-owner"
    case .worldWritable: "world-writable"
    case .groupWritable: "group-writable"
    case .directoryWorldWritable: "directory-world-writable"
    case .directoryGroupWritable: "directory-group-writable"
    case .directoryUnknown: "directory-unknown"
    }
  }

  public var text: Text {
    var text = Text()
    switch self {
    case .foreignOwner(let user):
      text.append("file belongs to user ")
      text.append(decimal: UInt64(user))
      text.append(", neither root nor the user of the process")
    case .worldWritable: text.append("everybody may write to the file")
    case .groupWritable(let group):
      text.append("group ")
      text.append(decimal: UInt64(group))
      text.append(" may write to the file")
    case .directoryWorldWritable: text.append("everybody may replace files in the directory")
    case .directoryGroupWritable(let group):
      text.append("group ")
      text.append(decimal: UInt64(group))
      text.append(" may replace files in the directory")
    case .directoryUnknown(let error):
      text.append("directory cannot be looked at: ")
      text.append(error.text)
    }
    return text
  }
}

extension FileStatus {
  /// What the rules look at, made up.
  init(mode: UInt16, owner: UInt32, group: UInt32) {
    var raw = statx()
    raw.stx_mode = mode
    raw.stx_uid = owner
    raw.stx_gid = group
    self.init(raw)
  }
}

/// Whether a file may become code of this process: who takes updates from a file gives its writers the rights of the
/// process. LD_TRUST_FILES puts the rules out of force.
public struct FileVetting {
  public let user: UInt32
  public let group: UInt32
  public let isTrusting: Bool

  /// `user`, `group`: the effective ones of the process.
  public init(user: UInt32, group: UInt32, isTrusting: Bool) {
    self.user = user
    self.group = group
    self.isTrusting = isTrusting
  }

  /// Of the calling thread, as it is now.
  public init(_ settings: Settings) {
    self.init(
      user: Credentials.effectiveUser, group: Credentials.effectiveGroup, isTrusting: settings.trustsFiles)
  }

  public func refusal(file: FileStatus) -> FileRefusal? {
    if isTrusting { return nil }
    if file.owner != 0 && file.owner != user { return .foreignOwner(file.owner) }
    if file.isWorldWritable { return .worldWritable }
    if isForeignGroup(file) { return .groupWritable(file.group) }
    return nil
  }

  /// In a sticky directory only the owner of a file replaces it.
  public func refusal(directory: FileStatus) -> FileRefusal? {
    if isTrusting || directory.isSticky { return nil }
    if directory.isWorldWritable { return .directoryWorldWritable }
    if isForeignGroup(directory) { return .directoryGroupWritable(directory.group) }
    return nil
  }

  /// Only for a process of root: for others the group is the user's own affair (user private groups).
  private func isForeignGroup(_ status: FileStatus) -> Bool {
    user == 0 && status.isGroupWritable && status.group != 0 && status.group != group
  }

  /// The file with the state it was read in (`PrivateCopy.status`), its directory, and those of all symbolic links on
  /// the way to it.
  public func refusal(path: Path, file: FileStatus) -> FileRefusal? {
    if isTrusting { return nil }
    if let refusal = refusal(file: file) { return refusal }
    let resolution = PathResolution(path.absolute())
    var entries = resolution.links
    if let last = resolution.file { entries.append(last) }
    for entry in entries {
      do throws(Errno) {
        let status = try FileDescriptor.status(of: entry.directory)
        if let refusal = refusal(directory: status) { return refusal }
      } catch {
        return .directoryUnknown(error)
      }
    }
    return nil
  }
}
