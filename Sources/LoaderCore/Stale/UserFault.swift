import CKernel

/// Page faults of ranges of this process's memory, served by a thread of it (userfaultfd(2), ioctl_userfaultfd(2)).
///
/// Always with UFFD_USER_MODE_ONLY, privileged or not: it needs no right, and accesses by the kernel for others (a
/// debugger, a reader of /proc/PID/mem) fail instead of waiting for a thread that the debugger may have stopped.
struct UserFault {
  /// What the kernel tells of a fault (struct uffd_msg).
  struct Fault {
    let address: UInt64
    let thread: Int32
  }

  let descriptor: FileDescriptor
  /// Addresses of faults are those of the accesses, not of their pages (Linux 5.18).
  let isExact: Bool

  // linux/userfaultfd.h; the ioctl numbers are made by macros that Swift does not see.
  private static var callNumber: Int { 323 }
  private static var api: UInt64 { 0xaa }
  private static var apiCall: Int { 0xc018_aa3f }
  private static var registerCall: Int { 0xc020_aa00 }
  private static var unregisterCall: Int { 0x8010_aa01 }
  private static var wakeCall: Int { 0x8010_aa02 }
  private static var continueCall: Int { 0xc020_aa07 }
  private static var threadIdentifier: UInt64 { 1 << 8 }
  private static var minorSharedMemory: UInt64 { 1 << 10 }
  private static var exactAddress: UInt64 { 1 << 11 }
  private static var userModeOnly: Int { 1 }
  private static var minorMode: UInt64 { 4 }
  private static var pageFault: UInt8 { 0x12 }

  /// ENOSYS, EPERM: the kernel or a filter forbids it; EINVAL: older than Linux 5.14.
  init() throws(Errno) {
    let features = UserFault.threadIdentifier | UserFault.minorSharedMemory
    do throws(Errno) {
      descriptor = try UserFault.open(features | UserFault.exactAddress)
      isExact = true
      return
    } catch {
      guard error == .invalid else { throw error }
    }
    descriptor = try UserFault.open(features)
    isExact = false
  }

  private static func open(_ features: UInt64) throws(Errno) -> FileDescriptor {
    let number = try check(luci_syscall1(callNumber, userModeOnly | Int(O_CLOEXEC | O_NONBLOCK)))
    let descriptor = FileDescriptor(Int32(number))
    do throws(Errno) {
      // struct uffdio_api: api, features, ioctls.
      try control(descriptor, apiCall, [api, features, 0])
      return descriptor
    } catch {
      descriptor.close()
      throw error
    }
  }

  /// Faults of pages whose content is there (in a memory file) but not mapped.
  func register(_ range: AddressRange) throws(Errno) {
    // struct uffdio_register: start, len, mode, ioctls.
    try UserFault.control(descriptor, UserFault.registerCall, [range.start, range.count, UserFault.minorMode, 0])
  }

  /// Whoever waits goes on, and the range is ordinary memory again.
  func unregister(_ range: AddressRange) throws(Errno) {
    try UserFault.control(descriptor, UserFault.unregisterCall, [range.start, range.count])
  }

  /// Maps the page, and wakes all that wait for it. EEXIST: it is mapped already.
  func resume(_ page: UInt64) throws(Errno) {
    // struct uffdio_continue: start, len, mode, mapped.
    try UserFault.control(descriptor, UserFault.continueCall, [page, Segments.pageSize, 0, 0])
  }

  func wake(_ range: AddressRange) throws(Errno) {
    try UserFault.control(descriptor, UserFault.wakeCall, [range.start, range.count])
  }

  /// The next fault; nil: none at the moment, or a message of another kind.
  func next() throws(Errno) -> Fault? {
    var message: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    let result = withUnsafeMutableBytes(of: &message) { buffer -> Result<Int, Errno> in
      do throws(Errno) { return .success(try descriptor.read(into: buffer)) } catch { return .failure(error) }
    }
    do throws(Errno) {
      guard try result.get() == 32, UInt8(truncatingIfNeeded: message.0) == UserFault.pageFault else { return nil }
    } catch {
      if error == .again { return nil }
      throw error
    }
    return Fault(address: message.2, thread: Int32(truncatingIfNeeded: message.3))
  }

  private static func control(_ descriptor: FileDescriptor, _ call: Int, _ words: [UInt64]) throws(Errno) {
    var words = words
    _ = try check(
      words.withUnsafeMutableBytes {
        luci_syscall3(Int(__NR_ioctl), Int(descriptor.number), call, Int(bitPattern: $0.baseAddress))
      })
  }
}
