import CKernel

/// Signals as the kernel counts them; a set is one 64-bit word, bit n - 1 for signal n.
public enum Signal {
  public static var brokenPipe: Int32 { 13 }
  /// The first real-time signal. C libraries keep it for themselves and send it to single threads only (SIGCANCEL of
  /// glibc, SIGTIMER of musl); debuggers let it pass.
  public static var wake: Int32 { 32 }

  static func set(of signal: Int32) -> UInt64 { 1 << UInt64(signal - 1) }

  /// Blocks the signals for the calling thread; returns the mask that was in force.
  static func block(_ signals: UInt64) -> UInt64 {
    // SIG_BLOCK
    changeMask(0, signals)
  }

  /// Sets the calling thread's mask.
  static func restore(_ mask: UInt64) {
    // SIG_SETMASK
    _ = changeMask(2, mask)
  }

  private static func changeMask(_ how: Int, _ signals: UInt64) -> UInt64 {
    var new = signals
    var old: UInt64 = 0
    _ = withUnsafeMutablePointer(to: &new) { new in
      withUnsafeMutablePointer(to: &old) { old in
        luci_syscall4(Int(__NR_rt_sigprocmask), how, Int(bitPattern: new), Int(bitPattern: old), 8)
      }
    }
    return old
  }

  /// Signals that wait for the calling thread or the process (rt_sigpending(2)).
  static func pending() -> UInt64 {
    var set: UInt64 = 0
    _ = withUnsafeMutablePointer(to: &set) {
      luci_syscall2(Int(__NR_rt_sigpending), Int(bitPattern: $0), 8)
    }
    return set
  }

  /// Takes one waiting signal of the set away, if there is one (rt_sigtimedwait(2) without waiting).
  static func consume(_ signals: UInt64) {
    var set = signals
    var timeout = __kernel_timespec()
    _ = withUnsafeMutablePointer(to: &set) { set in
      withUnsafeMutablePointer(to: &timeout) { timeout in
        luci_syscall4(Int(__NR_rt_sigtimedwait), Int(bitPattern: set), 0, Int(bitPattern: timeout), 8)
      }
    }
  }

  /// Runs a write that may meet a pipe or socket without reader: the SIGPIPE, which the kernel sends to the writing
  /// thread, never reaches the program. A SIGPIPE that waited before stays.
  static func withoutBrokenPipe(_ write: () -> Int) -> Int {
    let brokenPipe = set(of: Signal.brokenPipe)
    let mask = block(brokenPipe)
    let waited = pending() & brokenPipe != 0
    let result = write()
    if result == -Int(EPIPE) && !waited { consume(brokenPipe) }
    restore(mask)
    return result
  }

  /// Sends a signal to one thread of this process (tgkill(2)).
  static func send(_ signal: Int32, toThread thread: Int32) throws(Errno) {
    _ = try check(luci_syscall3(Int(__NR_tgkill), Int(CurrentThread.process), Int(thread), Int(signal)))
  }
}

/// The calling thread.
public enum CurrentThread {
  /// Process id (getpid(2)).
  public static var process: Int32 { Int32(truncatingIfNeeded: luci_syscall0(Int(__NR_getpid))) }
  /// As ps(1) shows it (PR_SET_NAME); at most 15 bytes, and the literal's NUL.
  static func setName(_ name: StaticString) {
    _ = luci_syscall2(Int(__NR_prctl), 15, Int(bitPattern: name.utf8Start))
  }
  /// Thread id (gettid(2)).
  public static var id: Int32 { Int32(truncatingIfNeeded: luci_syscall0(Int(__NR_gettid))) }
}
