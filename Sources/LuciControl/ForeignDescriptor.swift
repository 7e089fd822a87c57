import Foundation

/// Opening what another process has open.
///
/// That process may be anybody's, and whoever asks may be root: opening /proc/PID/fd/N opens again what number N is,
/// with the asker's rights. A process that only pretends to run under Luci could show a file there that it may not
/// write to itself, or a device that does something when it is opened. So each is opened without access first (O_PATH),
/// looked at, and opened for use only if it is an unnamed pipe, or a memory file of the right name.
extension LuciProcess {
  /// fcntl.h; Glibc's module has it for GNU programs only.
  private static let pathOnly: Int32 = 0o10_000_000

  /// The pipe, for writing. What has a name in a file system shows a path instead.
  func openedPipe() throws(AskError) -> Int32 {
    try opened(pipe, O_WRONLY | O_NONBLOCK) { status, name in
      status.st_mode & S_IFMT == S_IFIFO && name.hasPrefix("pipe:[")
    }
  }

  /// The memory file with answers, for reading. A file of that path in somebody's mount namespace has a link.
  func openedFile() throws(AskError) -> Int32 {
    try opened(file, O_RDONLY) { status, name in
      status.st_mode & S_IFMT == S_IFREG && status.st_nlink == 0 && name.hasPrefix(Self.fileName)
    }
  }

  private func opened(
    _ path: String, _ mode: Int32, _ isExpected: (stat, String) -> Bool
  ) throws(AskError) -> Int32 {
    let place = open(path, Self.pathOnly | O_CLOEXEC)
    guard place >= 0 else { throw failure() }
    defer { close(place) }
    var status = stat()
    let own = "/proc/self/fd/\(place)"
    guard fstat(place, &status) == 0,
      let name = try? FileManager.default.destinationOfSymbolicLink(atPath: own)
    else { throw failure() }
    guard isExpected(status, name) else { throw .notUnderLuci(pid) }
    let descriptor = open(own, mode | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure() }
    return descriptor
  }

  private func failure() -> AskError {
    switch errno {
    case EACCES, EPERM: .notPermitted(pid)
    case ENOENT, ESRCH: .noSuchProcess(pid)
    default: .system("process \(pid): \(String(cString: strerror(errno)))")
    }
  }
}
