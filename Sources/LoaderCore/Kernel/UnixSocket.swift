import CKernel

/// Client side of a local socket; nothing here waits.
enum UnixSocket {
  // Of the kernel's include/linux/net.h and socket.h, which are not exported.
  static var familyUnix: UInt16 { 1 }
  static var stream: Int { 1 }
  static var datagram: Int { 2 }
  static var sequencedPacket: Int { 5 }
  static var doNotWait: Int { 0x40 }
  static var noSignal: Int { 0x4000 }
  /// Size of sun_path (unix(7)).
  static var pathSize: Int { 108 }

  /// Connects to whatever kind of socket listens at the path.
  static func connect(_ path: Path) throws(Errno) -> FileDescriptor {
    guard path.count < pathSize else { throw Errno(ENAMETOOLONG) }
    var address: [UInt8] = [UInt8(familyUnix), 0]
    path.withBytes { bytes in
      for index in 0..<bytes.count { address.append(bytes[index]) }
    }
    address.append(0)
    var failure = Errno(EPROTOTYPE)
    for type in [stream, datagram, sequencedPacket] {
      do throws(Errno) {
        return try connect(address, type)
      } catch {
        failure = error
        if error.number != EPROTOTYPE { break }
      }
    }
    throw failure
  }

  private static func connect(_ address: [UInt8], _ type: Int) throws(Errno) -> FileDescriptor {
    let number = try check(
      luci_syscall3(Int(__NR_socket), Int(familyUnix), type | Int(O_NONBLOCK | O_CLOEXEC), 0))
    let socket = FileDescriptor(Int32(number))
    let result = address.withUnsafeBytes {
      luci_syscall3(Int(__NR_connect), number, Int(bitPattern: $0.baseAddress), $0.count)
    }
    if result < 0 {
      socket.close()
      throw Errno(Int32(-result))
    }
    return socket
  }

  /// send(2) that neither waits nor signals.
  static func send(_ bytes: Bytes, to socket: FileDescriptor) -> Int {
    luci_syscall6(
      Int(__NR_sendto), Int(socket.number), Int(bitPattern: bytes.address), bytes.count, doNotWait | noSignal, 0, 0)
  }
}
