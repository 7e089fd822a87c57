import CKernel

/// Asks the service whether two builds have the same layout of types. On the helper thread; no longer than `patience`.
public enum DebugHashQuery {
  public enum Answer: Equatable {
    case same
    case different
    /// The service has no debug information about one of them, or one has no build-id.
    case unknown
    case failed(Errno)
  }

  /// Nanoseconds in which all must be done: the update waits for it.
  public static var patience: UInt64 { 2_000_000_000 }
  /// Two answers have 140 bytes.
  private static var maximumAnswer: Int { 512 }

  /// `old` and `new` are build-ids.
  public static func ask(_ address: DebugHashAddress, old: Bytes, new: Bytes) -> Answer {
    guard old.count > 0, new.count > 0 else { return .unknown }
    if old == new { return .same }
    var request = Text()
    for id in [old, new] {
      for index in 0..<min(id.count, 64) { request.append(hex: UInt64(id[index]), width: 2) }
      request.append("\n")
    }
    do throws(Errno) {
      let deadline = ClockTime.monotonic() &+ patience
      let socket = try connect(address, deadline)
      defer { socket.close() }
      let sent = request.withBytes { UnixSocket.send($0, to: socket) }
      guard try check(sent) == request.bytes.count else { throw Errno(EPIPE) }
      let lines = try receive(socket, deadline, isDatagram: address.isDatagram)
      return lines.withUnsafeBufferPointer { judge(Bytes(UnsafeRawBufferPointer($0))) }
    } catch {
      return .failed(error)
    }
  }

  private static func connect(_ address: DebugHashAddress, _ deadline: UInt64) throws(Errno) -> FileDescriptor {
    let type = address.isDatagram ? UnixSocket.datagram : UnixSocket.stream
    let number = try check(
      luci_syscall3(Int(__NR_socket), Int(address.family), type | Int(O_NONBLOCK | O_CLOEXEC), 0))
    let socket = FileDescriptor(Int32(number))
    do throws(Errno) {
      let result = address.bytes.withUnsafeBytes {
        luci_syscall3(Int(__NR_connect), number, Int(bitPattern: $0.baseAddress), $0.count)
      }
      if result != -Int(EINPROGRESS) {
        _ = try check(result)
      } else {
        try finishConnecting(socket, deadline)
      }
      return socket
    } catch {
      socket.close()
      throw error
    }
  }

  /// Waits until connect(2) has come to an end, and throws what it came to.
  private static func finishConnecting(_ socket: FileDescriptor, _ deadline: UInt64) throws(Errno) {
    while !socket.takesOutput {
      let now = ClockTime.monotonic()
      guard now < deadline else { throw Errno(ETIMEDOUT) }
      try socket.waitForOutput(nanoseconds: deadline - now)
    }
    var failure: Int32 = 0
    var size: UInt32 = 4
    // SOL_SOCKET, SO_ERROR.
    let result = withUnsafeMutablePointer(to: &failure) { failure in
      withUnsafeMutablePointer(to: &size) { size in
        luci_syscall6(
          Int(__NR_getsockopt), Int(socket.number), 1, 4, Int(bitPattern: failure), Int(bitPattern: size), 0)
      }
    }
    _ = try check(result)
    if failure != 0 { throw Errno(failure) }
  }

  /// Until there are two lines.
  private static func receive(
    _ socket: FileDescriptor, _ deadline: UInt64, isDatagram: Bool
  ) throws(Errno) -> [UInt8] {
    var received: [UInt8] = []
    while true {
      let now = ClockTime.monotonic()
      guard now < deadline else { throw Errno(ETIMEDOUT) }
      if try FileDescriptor.waitForInput([socket], nanoseconds: deadline - now) == 0 { continue }
      var buffer = [UInt8](repeating: 0, count: maximumAnswer)
      let result = buffer.withUnsafeMutableBytes {
        luci_syscall3(Int(__NR_read), Int(socket.number), Int(bitPattern: $0.baseAddress), $0.count)
      }
      if result == -Int(EAGAIN) || result == -Int(EINTR) { continue }
      let count = try check(result)
      received += buffer[0..<count]
      var lines = 0
      for byte in received where byte == 10 { lines += 1 }
      if lines >= 2 { return received }
      guard count > 0, !isDatagram, received.count < maximumAnswer else { throw Errno(EPIPE) }
    }
  }

  /// Two lines `hash HEX` that are the same or not; whatever else they say, nothing is known.
  static func judge(_ text: Bytes) -> Answer {
    var lines: [Bytes] = []
    var start: UInt64 = 0
    for index in 0..<text.count where text[index] == 10 {
      if let line = text.slice(at: start, count: UInt64(index) - start) { lines.append(line) }
      start = UInt64(index) + 1
    }
    guard lines.count >= 2, lines[0].hasPrefix("hash "), lines[1].hasPrefix("hash "), lines[0].count > 5,
      lines[1].count > 5
    else { return .unknown }
    return lines[0] == lines[1] ? .same : .different
  }
}

extension FileDescriptor {
  /// Waits until it can be written, at most `nanoseconds`; an interruption ends the wait, too.
  func waitForOutput(nanoseconds: UInt64) throws(Errno) {
    var entry = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    var timeout = __kernel_timespec()
    timeout.tv_sec = Int64(nanoseconds / 1_000_000_000)
    timeout.tv_nsec = Int64(nanoseconds % 1_000_000_000)
    let result = withUnsafeMutablePointer(to: &entry) { entry in
      withUnsafeMutablePointer(to: &timeout) { timeout in
        luci_syscall6(Int(__NR_ppoll), Int(bitPattern: entry), 1, Int(bitPattern: timeout), 0, 8, 0)
      }
    }
    if result == -Int(EINTR) { return }
    _ = try check(result)
    // A socket that can't be connected reports an error instead: `takesOutput` would never become true.
    if entry.revents & Int16(POLLOUT) == 0, entry.revents & Int16(POLLERR | POLLHUP) != 0 {
      throw Errno(ECONNREFUSED)
    }
  }
}
