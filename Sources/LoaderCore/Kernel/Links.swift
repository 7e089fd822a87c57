import CKernel

extension Path {
  /// Longest name that the kernel takes, NUL included (PATH_MAX).
  public static var maximum: Int { 4096 }

  /// What a symbolic link says (readlinkat(2)); EINVAL for what is not one.
  public func linkTarget() throws(Errno) -> Path {
    try Path.filled { (buffer, size) throws(Errno) in
      try withCString { (name) throws(Errno) -> Int in
        try check(luci_syscall4(Int(__NR_readlinkat), Int(AT_FDCWD), name, buffer, size))
      }
    }
  }

  /// The working directory (getcwd(2)).
  public static func workingDirectory() throws(Errno) -> Path {
    try filled { (buffer, size) throws(Errno) in
      // The kernel counts the NUL.
      try check(luci_syscall2(Int(__NR_getcwd), buffer, size)) - 1
    }
  }

  /// The path itself, or seen from the working directory of now. Without one the path stays as it is.
  public func absolute() -> Path {
    if isAbsolute { return self }
    do throws(Errno) {
      return try Path.workingDirectory().appending(self)
    } catch {
      return self
    }
  }

  private static func filled(_ call: (Int, Int) throws(Errno) -> Int) throws(Errno) -> Path {
    var buffer = [UInt8](repeating: 0, count: Path.maximum)
    let result = buffer.withUnsafeMutableBytes { buffer -> Result<Path, Errno> in
      do throws(Errno) {
        let count = try call(Int(bitPattern: buffer.baseAddress), buffer.count)
        return .success(Path(Bytes(UnsafeRawBufferPointer(rebasing: buffer[0..<max(0, count)]))))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
