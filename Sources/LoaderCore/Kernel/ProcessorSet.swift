import CKernel

/// Processors that a thread may run on (sched_setaffinity(2)): one bit each.
struct ProcessorSet: Equatable {
  private var words: [UInt64]

  /// Those of the calling thread; nil where the kernel does not tell. Kernels are built for at most 8192.
  init?(ofThread: Void) {
    words = [UInt64](repeating: 0, count: 128)
    let bytes = words.withUnsafeMutableBytes {
      luci_syscall3(Int(__NR_sched_getaffinity), 0, $0.count, Int(bitPattern: $0.baseAddress))
    }
    guard bytes > 0 else { return nil }
    words.removeLast(words.count - (bytes + 7) / 8)
  }

  /// The processor that runs the caller.
  init?(running: Void) {
    var processor: UInt32 = 0
    let result = withUnsafeMutablePointer(to: &processor) {
      luci_syscall3(Int(__NR_getcpu), Int(bitPattern: $0), 0, 0)
    }
    guard result == 0, processor < 8192 else { return nil }
    words = [UInt64](repeating: 0, count: Int(processor / 64) + 1)
    words[Int(processor / 64)] = 1 << UInt64(processor % 64)
  }

  var isOne: Bool {
    var bits = 0
    for word in words { bits += word.nonzeroBitCount }
    return bits == 1
  }

  /// Makes it the calling thread's; false: the kernel does not do so.
  @discardableResult
  func apply() -> Bool {
    words.withUnsafeBytes {
      luci_syscall3(Int(__NR_sched_setaffinity), 0, $0.count, Int(bitPattern: $0.baseAddress)) == 0
    }
  }
}

/// How the kernel treats the calling thread.
enum Scheduling {
  /// SCHED_OTHER, SCHED_BATCH or SCHED_IDLE: threads on one processor take turns.
  static var isShared: Bool {
    switch luci_syscall1(Int(__NR_sched_getscheduler), 0) {
    case Int(SCHED_NORMAL), Int(SCHED_BATCH), Int(SCHED_IDLE): true
    default: false
    }
  }

  /// A seccomp(2) filter is in force (PR_GET_SECCOMP). It may answer a system call with a signal that ends the process.
  static var isFiltered: Bool { luci_syscall2(Int(__NR_prctl), Int(PR_GET_SECCOMP), 0) != 0 }
}
