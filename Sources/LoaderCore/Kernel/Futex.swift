import CKernel

/// futex(2) on a word of this process alone.
enum Futex {
  /// Sleeps while the word has that value: until somebody wakes it, for `nanoseconds` at most, or for no reason.
  static func wait(_ word: UnsafeMutablePointer<UInt32>, while value: UInt32, nanoseconds: UInt64) {
    var time = __kernel_timespec(
      tv_sec: Int64(nanoseconds / 1_000_000_000), tv_nsec: Int64(nanoseconds % 1_000_000_000))
    _ = withUnsafePointer(to: &time) {
      luci_syscall4(
        Int(__NR_futex), Int(bitPattern: word), Int(FUTEX_WAIT_PRIVATE), Int(value), Int(bitPattern: $0))
    }
  }

  static func wait(_ word: UnsafeMutablePointer<UInt32>, while value: UInt32) {
    _ = luci_syscall4(Int(__NR_futex), Int(bitPattern: word), Int(FUTEX_WAIT_PRIVATE), Int(value), 0)
  }

  static func wake(_ word: UnsafeMutablePointer<UInt32>, count: Int32) {
    _ = luci_syscall3(Int(__NR_futex), Int(bitPattern: word), Int(FUTEX_WAKE_PRIVATE), Int(count))
  }
}
