import CKernel

extension FileDescriptor {
  /// Waits until one of the descriptors can be read, at most `nanoseconds` (nil: for ever). Returns one bit per
  /// descriptor, lowest first; 0 after the time or an interruption. At most 8 descriptors.
  static func waitForInput(_ files: [FileDescriptor], nanoseconds: UInt64?) throws(Errno) -> UInt {
    var list = files.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
    var timeout = __kernel_timespec()
    if let nanoseconds {
      timeout.tv_sec = Int64(nanoseconds / 1_000_000_000)
      timeout.tv_nsec = Int64(nanoseconds % 1_000_000_000)
    }
    let result = list.withUnsafeMutableBufferPointer { list in
      withUnsafeMutablePointer(to: &timeout) { timeout in
        luci_syscall6(
          Int(__NR_ppoll), Int(bitPattern: list.baseAddress), list.count,
          nanoseconds == nil ? 0 : Int(bitPattern: timeout), 0, 8, 0)
      }
    }
    if result == -Int(EINTR) { return 0 }
    _ = try check(result)
    var ready: UInt = 0
    for index in 0..<list.count where list[index].revents != 0 { ready |= 1 << UInt(index) }
    return ready
  }

  /// Waits until one of two can be read, without taking memory; 1, 2, 3 for which, 0: interrupted.
  static func waitForInput(_ first: FileDescriptor, _ second: FileDescriptor) throws(Errno) -> Int {
    var entries = (
      pollfd(fd: first.number, events: Int16(POLLIN), revents: 0),
      pollfd(fd: second.number, events: Int16(POLLIN), revents: 0)
    )
    let result = withUnsafeMutablePointer(to: &entries) {
      luci_syscall6(Int(__NR_ppoll), Int(bitPattern: $0), 2, 0, 0, 8, 0)
    }
    if result == -Int(EINTR) { return 0 }
    _ = try check(result)
    return (entries.0.revents != 0 ? 1 : 0) + (entries.1.revents != 0 ? 2 : 0)
  }

  /// Whether a write of a line would not have to wait, by poll(2).
  var takesOutput: Bool {
    var entry = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    let result = withUnsafeMutablePointer(to: &entry) {
      luci_syscall3(Int(__NR_poll), Int(bitPattern: $0), 1, 0)
    }
    return result == 1 && entry.revents & Int16(POLLOUT) != 0
  }

  /// write(2) once, whatever comes of it; the result is the kernel's.
  func writeOnce(_ bytes: Bytes) -> Int {
    luci_syscall3(Int(__NR_write), Int(number), Int(bitPattern: bytes.address), bytes.count)
  }

  /// A descriptor that can be read while signals of the set wait for the reading thread, which has them blocked
  /// (signalfd4(2)).
  static func signals(_ set: UInt64) throws(Errno) -> FileDescriptor {
    var set = set
    let result = withUnsafeMutablePointer(to: &set) {
      luci_syscall4(Int(__NR_signalfd4), -1, Int(bitPattern: $0), 8, Int(O_CLOEXEC | O_NONBLOCK))
    }
    return FileDescriptor(Int32(try check(result)))
  }

  /// Reads away what is there, for descriptors that do not block.
  func drain() {
    withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { buffer in
      var rounds = 0
      while rounds < 64 {
        let result = luci_syscall3(Int(__NR_read), Int(number), Int(bitPattern: buffer.baseAddress), buffer.count)
        if result <= 0 { return }
        rounds += 1
      }
    }
  }
}
