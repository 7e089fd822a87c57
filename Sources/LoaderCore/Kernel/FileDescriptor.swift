import CKernel

/// What Luci needs to know of a file (statx(2)).
public struct FileStatus: Equatable {
  public let device: UInt64
  public let inode: UInt64
  public let mode: UInt16
  public let links: UInt32
  public let owner: UInt32
  public let group: UInt32
  public let size: UInt64
  public let modifiedSeconds: Int64
  public let modifiedNanoseconds: UInt32
  public let changedSeconds: Int64
  public let changedNanoseconds: UInt32

  init(_ raw: statx) {
    device = UInt64(raw.stx_dev_major) << 32 | UInt64(raw.stx_dev_minor)
    inode = raw.stx_ino
    mode = raw.stx_mode
    links = raw.stx_nlink
    owner = raw.stx_uid
    group = raw.stx_gid
    size = raw.stx_size
    modifiedSeconds = raw.stx_mtime.tv_sec
    modifiedNanoseconds = raw.stx_mtime.tv_nsec
    changedSeconds = raw.stx_ctime.tv_sec
    changedNanoseconds = raw.stx_ctime.tv_nsec
  }

  var format: UInt16 { mode & 0o170000 }
  public var isRegular: Bool { format == 0o100000 }
  public var isDirectory: Bool { format == 0o040000 }
  public var isSymbolicLink: Bool { format == 0o120000 }
  public var isSocket: Bool { format == 0o140000 }
  public var isFIFO: Bool { format == 0o010000 }
  public var isSticky: Bool { mode & 0o1000 != 0 }
  public var isWorldWritable: Bool { mode & 0o002 != 0 }
  public var isGroupWritable: Bool { mode & 0o020 != 0 }

  /// The same file in the same state, as far as can be seen from outside.
  public func isSameVersion(as other: FileStatus) -> Bool { self == other }
  func isModified(since other: FileStatus) -> Bool {
    modifiedSeconds != other.modifiedSeconds || modifiedNanoseconds != other.modifiedNanoseconds
  }
  public func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }
}

/// An open file. Not closed by itself: descriptors of the helper thread and of start-up have different owners.
public struct FileDescriptor: Equatable {
  public let number: Int32

  public init(_ number: Int32) { self.number = number }

  public static var standardOutput: FileDescriptor { FileDescriptor(1) }
  public static var standardError: FileDescriptor { FileDescriptor(2) }

  /// open(2) with O_CLOEXEC added.
  public static func open(
    _ path: Path, flags: Int32 = O_RDONLY, mode: Int32 = 0
  ) throws(Errno) -> FileDescriptor {
    let number = try path.withCString { (name) throws(Errno) -> Int in
      try check(
        luci_syscall4(Int(__NR_openat), Int(AT_FDCWD), name, Int(flags | O_CLOEXEC), Int(mode)))
    }
    return FileDescriptor(Int32(number))
  }

  public func close() { _ = luci_syscall1(Int(__NR_close), Int(number)) }

  public func status() throws(Errno) -> FileStatus {
    try FileDescriptor.statx(Int(number), Path(""), Int(AT_EMPTY_PATH))
  }

  /// What is written for `path` belongs elsewhere by now: another file has the name, or this one was removed. One that
  /// was only moved away, or lies outside of a new root directory, goes on to serve.
  func isReplaced(at path: Path) -> Bool {
    guard let own = try? status(), own.isRegular else { return false }
    guard let now = try? FileDescriptor.status(of: path) else { return own.links == 0 }
    return !now.isSameFile(as: own)
  }

  /// Of the file a path leads to, or of the last symbolic link itself.
  public static func status(of path: Path, followingLinks: Bool = true) throws(Errno) -> FileStatus {
    try statx(Int(AT_FDCWD), path, followingLinks ? 0 : Int(AT_SYMLINK_NOFOLLOW))
  }

  private static func statx(_ directory: Int, _ path: Path, _ flags: Int) throws(Errno) -> FileStatus {
    var raw = CKernel.statx()
    try path.withCString { (name) throws(Errno) in
      let result = withUnsafeMutablePointer(to: &raw) {
        luci_syscall6(
          Int(__NR_statx), directory, name, flags, Int(STATX_BASIC_STATS), Int(bitPattern: $0), 0)
      }
      _ = try check(result)
    }
    return FileStatus(raw)
  }

  /// Reads at most `buffer.count` bytes; 0 at the end. EINTR is taken as a reason to try again.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    try retrying {
      luci_syscall3(Int(__NR_read), Int(number), Int(bitPattern: buffer.baseAddress), buffer.count)
    }
  }

  /// Reads at an offset, without moving the file position.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
    try retrying {
      luci_syscall4(
        Int(__NR_pread64), Int(number), Int(bitPattern: buffer.baseAddress), buffer.count, Int(offset))
    }
  }

  public func write(_ bytes: Bytes) throws(Errno) -> Int {
    try retrying { luci_syscall3(Int(__NR_write), Int(number), Int(bitPattern: bytes.address), bytes.count) }
  }

  /// Writes everything, or as much as the file takes.
  public func writeAll(_ bytes: Bytes) throws(Errno) {
    var rest = bytes
    while rest.count > 0 {
      let done = try write(rest)
      guard done > 0, let next = rest.suffix(from: UInt64(done)) else { return }
      rest = next
    }
  }

  public func truncate(to size: UInt64) throws(Errno) {
    _ = try check(luci_syscall2(Int(__NR_ftruncate), Int(number), Int(size)))
  }

  /// A file without a name in memory (memfd_create(2)); sealing is allowed.
  public static func inMemory(named name: Path) throws(Errno) -> FileDescriptor {
    let number = try name.withCString { (name) throws(Errno) -> Int in
      try check(luci_syscall2(Int(__NR_memfd_create), name, Int(MFD_CLOEXEC | MFD_ALLOW_SEALING)))
    }
    return FileDescriptor(Int32(number))
  }

  /// Nobody can write to, shrink or grow the file any more.
  public func seal() throws(Errno) {
    // F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, by F_ADD_SEALS (linux/fcntl.h).
    _ = try check(luci_syscall3(Int(__NR_fcntl), Int(number), Int(F_ADD_SEALS), 0xf))
  }

  private func retrying(_ call: () -> Int) throws(Errno) -> Int {
    while true {
      let result = call()
      if result == -Int(EINTR) { continue }
      return try check(result)
    }
  }
}
