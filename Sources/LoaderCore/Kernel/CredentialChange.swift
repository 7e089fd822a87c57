import CKernel

/// The helper thread was made by clone(2), and the C library's setuid, which tells every thread it knows of, does not
/// know of it. So it follows by itself, before it touches files.
extension Credentials {
  /// Takes over the ids of the thread group leader, and gives up capabilities that the leader does not have. Throws
  /// where that is not possible or cannot be seen (no /proc): then nothing may be done for the program any more.
  public static func followProgram() throws(Errno) {
    let program = try read("/proc/self/status")
    guard try read("/proc/thread-self/status") != program else { return }
    try program.adopt()
  }

  static func read(_ path: StaticString) throws(Errno) -> Credentials {
    // A list of 65,536 groups (NGROUPS_MAX) is what makes it large.
    let content = try FileDescriptor.textOfProcess(path)
    guard let result = content.withUnsafeBytes({ Credentials(status: Bytes($0)) }) else {
      throw Errno.invalid
    }
    return result
  }

  /// Makes them the calling thread's. Groups go first: afterwards the right to change them may be gone.
  func adopt() throws(Errno) {
    var own = try Credentials.read("/proc/thread-self/status")
    if own.supplementary != supplementary {
      _ = try check(
        supplementary.withUnsafeBufferPointer {
          luci_syscall2(Int(__NR_setgroups), $0.count, Int(bitPattern: $0.baseAddress))
        })
    }
    if own.groups != groups {
      _ = try check(luci_syscall3(Int(__NR_setresgid), Int(groups[0]), Int(groups[1]), Int(groups[2])))
      _ = luci_syscall1(Int(__NR_setfsgid), Int(groups[3]))
    }
    if own.users != users {
      _ = try check(luci_syscall3(Int(__NR_setresuid), Int(users[0]), Int(users[1]), Int(users[2])))
      _ = luci_syscall1(Int(__NR_setfsuid), Int(users[3]))
    }
    own = try Credentials.read("/proc/thread-self/status")
    try own.limitCapabilities(to: self)
    guard own.users == users, own.groups == groups, own.supplementary == supplementary else {
      throw Errno.notPermitted
    }
  }

  /// capset(2) with _LINUX_CAPABILITY_VERSION_3; giving up is always allowed.
  private func limitCapabilities(to other: Credentials) throws(Errno) {
    let (e, p, i) = (
      effective & other.effective, permitted & other.permitted, inheritable & other.inheritable
    )
    guard e != effective || p != permitted || i != inheritable else { return }
    let header: [UInt32] = [0x2008_0522, 0]
    let low = [e, p, i].map { UInt32(truncatingIfNeeded: $0) }
    let high = [e, p, i].map { UInt32(truncatingIfNeeded: $0 >> 32) }
    let data = low + high
    _ = try check(
      header.withUnsafeBufferPointer { header in
        data.withUnsafeBufferPointer { data in
          luci_syscall2(Int(__NR_capset), Int(bitPattern: header.baseAddress), Int(bitPattern: data.baseAddress))
        }
      })
  }
}
