import CKernel

/// A recursive lock on a futex, for Luci's own tables. Program threads take it in dlopen and its relatives, the
/// helper when it commits an update; constructors run under it as under the C library's own lock.
public final class Lock {
  /// 0 free, 1 taken, 2 taken and waited for.
  private let word: UnsafeMutablePointer<UInt32>
  private var owner = 0
  private var depth = 0
  /// Every thread that takes it has a block of its own at its thread pointer.
  private var usesThreadPointer = false

  /// Who is asking. With a C library no system call is needed for that: a sandbox may forbid gettid(2).
  private var thread: Int { usesThreadPointer ? Int(bitPattern: luci_thread_block()) : Process.thread }

  /// While nobody has it.
  func identifyByThreadPointer() { usesThreadPointer = true }

  public init() {
    word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    word.initialize(to: 0)
  }

  deinit { word.deallocate() }

  public func lock() {
    let thread = self.thread
    if owner == thread {
      depth += 1
      return
    }
    if luci_compare_exchange32(word, 0, 1) != 0 {
      while luci_exchange32(word, 2) != 0 { Futex.wait(word, while: 2) }
    }
    owner = thread
    depth = 1
  }

  /// Waits for the lock until `end` (CLOCK_MONOTONIC, nanoseconds) at most. Sleeps all that time: who looks where this
  /// thread is finds it at rest.
  public func lock(until end: UInt64) -> Bool {
    if tryLock() { return true }
    while luci_exchange32(word, 2) != 0 {
      let now = ClockTime.monotonic()
      // The word stays 2: at worst its holder wakes nobody.
      if now >= end { return false }
      Futex.wait(word, while: 2, nanoseconds: end - now)
    }
    owner = thread
    depth = 1
    return true
  }

  /// Takes the lock if nobody else has it.
  public func tryLock() -> Bool {
    if owner == thread || luci_compare_exchange32(word, 0, 1) == 0 {
      owner = thread
      depth += 1
      return true
    }
    return false
  }

  /// The calling thread has the lock.
  public var isHeld: Bool { owner == thread }

  /// Who has it, for `abandonAfterFork`.
  var holder: Int { owner }

  /// In a forked child: whoever else had it is not there.
  public func abandonAfterFork(by parent: Int) {
    if owner == parent { return adoptAfterFork() }
    owner = 0
    depth = 0
    word.pointee = 0
  }

  /// The calling thread, which has the lock, took it more than once.
  public var isNested: Bool { depth > 1 }

  public func unlock() {
    depth -= 1
    if depth > 0 { return }
    owner = 0
    if luci_exchange32(word, 0) == 2 { Futex.wake(word, count: 1) }
  }

  /// In a forked child the forking thread has another id.
  public func adoptAfterFork() {
    owner = thread
  }
}
