import CKernel

/// Where the detector meets the rest of the program.
extension Program {
  private static var serverStackSize: UInt64 { 64 << 10 }

  /// The calling helper and the server of faults.
  var ownThreads: [Int32] { [CurrentThread.id, stale?.serverThread ?? 0] }

  /// Threads of Luci's own.
  var helperCount: UInt32 { (hasHelper ? 1 : 0) + (stale?.threadCount ?? 0) }

  /// Makes the thread that serves faults, with the calling helper's descriptors.
  func startFaultServer() throws(Errno) -> Int32 {
    let size = Program.serverStackSize
    let stack = try Mapping.anonymous(size, .readWrite, reserveOnly: true)
    try? Mapping.protect(stack, Segments.pageSize, .none)
    // All signals are blocked here already, and the new thread inherits that.
    let result = gates.startHelper(stack + size - 64, 1)
    if result <= 0 {
      Mapping.unmap(stack, size)
      throw Errno(Int32(truncatingIfNeeded: -result))
    }
    return Int32(truncatingIfNeeded: result)
  }

  public func runFaultServer() { stale?.runServer() }

  /// After a commit, on whatever thread.
  func versionsHaveChanged() {
    if helperThread != 0, helperThread != CurrentThread.id { try? ThreadWake.wake(thread: helperThread) }
  }

  /// In a forked child. Its text is all there: what was taken away in the parent is ordinary memory here. The copy of
  /// the parent's detector may be half changed, so it is left as it is, for ever, and a new one begins.
  func forgetOutdatedText() {
    guard let stale else { return }
    _ = Unmanaged.passRetained(stale)
    self.stale = StaleDetector(self)
  }
}

extension Settings {
  var outdatedDetection: StaleDetector.Mode {
    StaleDetector.Mode(rawValue: UInt8(truncatingIfNeeded: value(of: .detectOutdated).number)) ?? .disabled
  }
}
