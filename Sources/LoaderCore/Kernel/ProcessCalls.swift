import CKernel

/// System calls about the process itself.
public enum Process {
  public static var identifier: Int { luci_syscall0(Int(__NR_getpid)) }
  public static var thread: Int { luci_syscall0(Int(__NR_gettid)) }

  public static func exit(_ code: Int) -> Never {
    while true { _ = luci_syscall1(Int(__NR_exit_group), code) }
  }

  /// Threads of the program, as far as /proc tells; many where it does not.
  public static func programThreadCount(helpers: UInt32) -> UInt32 {
    // A directory has a link for itself, its entry above, and each subdirectory.
    guard let status = try? FileDescriptor.status(of: Path("/proc/self/task")), status.links > 2 else { return .max }
    return status.links - 2 - min(helpers, status.links - 2)
  }

  /// Whether a thread of this process has that id (tgkill(2) with no signal).
  public static func hasThread(_ thread: Int) -> Bool {
    luci_syscall3(Int(__NR_tgkill), identifier, thread, 0) == 0
  }

  /// Ends the calling thread alone.
  public static func exitThread() -> Never {
    while true { _ = luci_syscall1(Int(__NR_exit), 0) }
  }

  /// execve(2); returns only on failure.
  public static func execute(_ path: Path, arguments: [UInt64], environment: [UInt64]) -> Errno {
    let argumentVector = arguments + [0]
    let environmentVector = environment + [0]
    let result = argumentVector.withUnsafeBufferPointer { arguments in
      environmentVector.withUnsafeBufferPointer { environment in
        path.withCString { name in
          luci_syscall3(
            Int(__NR_execve), name, Int(bitPattern: arguments.baseAddress), Int(bitPattern: environment.baseAddress))
        }
      }
    }
    return Errno(Int32(truncatingIfNeeded: -result))
  }

  /// The thread pointer (fs base).
  public static var threadPointer: UInt64 {
    get {
      var value: UInt64 = 0
      withUnsafeMutablePointer(to: &value) {
        _ = luci_syscall2(Int(__NR_arch_prctl), Int(ARCH_GET_FS), Int(bitPattern: $0))
      }
      return value
    }
    set { _ = luci_syscall2(Int(__NR_arch_prctl), Int(ARCH_SET_FS), Int(bitPattern: UInt(newValue))) }
  }
}
