import CKernel

/// mmap(2) and its relatives. Addresses are those of this process.
public enum Mapping {
  public struct Protection: OptionSet {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    public static var read: Protection { Protection(rawValue: Int(PROT_READ)) }
    public static var write: Protection { Protection(rawValue: Int(PROT_WRITE)) }
    public static var execute: Protection { Protection(rawValue: Int(PROT_EXEC)) }
    public static var none: Protection { [] }
    public static var readWrite: Protection { [.read, .write] }

    /// From p_flags of a segment.
    public init(segmentFlags flags: UInt32) {
      var value: Protection = []
      if flags & 4 != 0 { value.insert(.read) }
      if flags & 2 != 0 { value.insert(.write) }
      if flags & 1 != 0 { value.insert(.execute) }
      self = value
    }
  }

  /// Private memory without a file. `address` 0: anywhere; else exactly there, over what lies there if
  /// `replacing`, and only where nothing lies otherwise (MAP_FIXED_NOREPLACE).
  public static func anonymous(
    _ size: UInt64, _ protection: Protection, at address: UInt64 = 0, replacing: Bool = false,
    reserveOnly: Bool = false, populated: Bool = false
  ) throws(Errno) -> UInt64 {
    var flags = Int(MAP_PRIVATE | MAP_ANONYMOUS)
    if reserveOnly { flags |= Int(MAP_NORESERVE) }
    if populated { flags |= Int(MAP_POPULATE) }
    if address != 0 { flags |= replacing ? Int(MAP_FIXED) : Int(MAP_FIXED_NOREPLACE) }
    let result = try check(
      luci_syscall6(
        Int(__NR_mmap), Int(bitPattern: UInt(address)), Int(size), protection.rawValue, flags, -1, 0))
    return try checkPlace(UInt64(UInt(bitPattern: result)), address, size)
  }

  /// Part of a file, private (copy on write).
  public static func file(
    _ file: FileDescriptor, offset: UInt64, _ size: UInt64, _ protection: Protection, at address: UInt64 = 0
  ) throws(Errno) -> UInt64 {
    let flags = Int(MAP_PRIVATE) | (address != 0 ? Int(MAP_FIXED) : 0)
    let result = try check(
      luci_syscall6(
        Int(__NR_mmap), Int(bitPattern: UInt(address)), Int(size), protection.rawValue, flags,
        Int(file.number), Int(offset)))
    return UInt64(UInt(bitPattern: result))
  }

  /// Kernels before 4.17 take MAP_FIXED_NOREPLACE for a hint.
  private static func checkPlace(_ got: UInt64, _ wanted: UInt64, _ size: UInt64) throws(Errno) -> UInt64 {
    guard wanted == 0 || got == wanted else {
      unmap(got, size)
      throw Errno(EEXIST)
    }
    return got
  }

  public static func protect(_ address: UInt64, _ size: UInt64, _ protection: Protection) throws(Errno) {
    _ = try check(
      luci_syscall3(Int(__NR_mprotect), Int(bitPattern: UInt(address)), Int(size), protection.rawValue))
  }

  /// Makes private copies of pages that are about to be written, all at once and not one fault after the other
  /// (MADV_POPULATE_WRITE of Linux 5.14; without it nothing happens).
  public static func populateForWriting(_ address: UInt64, _ size: UInt64) {
    _ = luci_syscall3(Int(__NR_madvise), Int(bitPattern: UInt(address)), Int(size), 23)
  }

  public static func unmap(_ address: UInt64, _ size: UInt64) {
    _ = luci_syscall2(Int(__NR_munmap), Int(bitPattern: UInt(address)), Int(size))
  }
}

/// RLIMIT_AS, how much address space a process may use.
public enum AddressSpaceLimit {
  public static var isNone: Bool {
    // struct rlimit64: soft and hard limit; RLIMIT_AS is 9 (asm-generic/resource.h).
    var limits: (UInt64, UInt64) = (0, 0)
    let result = withUnsafeMutablePointer(to: &limits) {
      luci_syscall4(Int(__NR_prlimit64), 0, 9, 0, Int(bitPattern: $0))
    }
    return result == 0 && limits.0 == UInt64.max
  }
}
