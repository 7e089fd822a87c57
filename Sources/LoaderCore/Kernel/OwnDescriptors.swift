import CKernel

/// The helper thread has a descriptor table of its own (clone(2) without CLONE_FILES), a copy of the program's.
extension FileDescriptor {
  /// Closes everything in the calling thread's table but the given ones, so that no pipe or file of the program is
  /// held open. By close_range(2); before Linux 5.9 number by number up to the limit.
  public static func closeAll(except kept: [FileDescriptor]) {
    let numbers = kept.map { UInt32(bitPattern: $0.number) }.filter { $0 < UInt32(Int32.max) }.sorted()
    var first: UInt32 = 0
    for number in numbers {
      if number > first { closeRange(first, number - 1) }
      first = max(first, number + 1)
    }
    closeRange(first, UInt32.max)
  }

  private static func closeRange(_ first: UInt32, _ last: UInt32) {
    if luci_syscall3(Int(__NR_close_range), Int(first), Int(last), 0) == 0 { return }
    // struct rlimit64 of RLIMIT_NOFILE: soft, hard. Lowered limits leave descriptors above them open.
    var limits: (UInt64, UInt64) = (0, 0)
    _ = withUnsafeMutablePointer(to: &limits) {
      luci_syscall4(Int(__NR_prlimit64), 0, 7, 0, Int(bitPattern: $0))
    }
    var number = UInt64(first)
    let end = min(UInt64(last), min(limits.1, 1 << 20))
    while number <= end {
      _ = luci_syscall1(Int(__NR_close), Int(number))
      number += 1
    }
  }

  /// A descriptor of the program's table (the thread group leader's), taken over for a moment by a thread that has
  /// its own: pidfd_getfd(2), else through /proc. Threads of a process may always do that.
  static func borrowed(fromProgram number: Int32, flags: Int32) throws(Errno) -> FileDescriptor {
    let process = luci_syscall2(Int(__NR_pidfd_open), Int(CurrentThread.process), 0)
    if process >= 0 {
      let taken = luci_syscall3(Int(__NR_pidfd_getfd), process, Int(number), 0)
      FileDescriptor(Int32(process)).close()
      if taken >= 0 { return FileDescriptor(Int32(taken)) }
      if taken == -Int(EBADF) { throw Errno(EBADF) }
    }
    var name = Text("/proc/")
    name.append(decimal: UInt64(CurrentThread.process))
    name.append("/fd/")
    name.append(decimal: UInt64(max(0, number)))
    return try open(Path(name), flags: flags)
  }
}
