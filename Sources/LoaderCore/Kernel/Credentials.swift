import CKernel

/// User and group ids of the calling thread; for the kernel each thread has its own.
public enum Credentials {
  public static var effectiveUser: UInt32 { UInt32(truncatingIfNeeded: luci_syscall0(Int(__NR_geteuid))) }
  public static var effectiveGroup: UInt32 { UInt32(truncatingIfNeeded: luci_syscall0(Int(__NR_getegid))) }
}
