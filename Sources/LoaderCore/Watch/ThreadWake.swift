import CKernel

/// Wakes the helper thread out of a wait for descriptors, although the two tables have no descriptor in common (and a
/// number kept in the program's table could be closed or reused by the program): a signal for the helper alone, which
/// has it blocked and reads it from a signalfd.
public struct ThreadWake {
  /// For the wait; in the table of the thread that made this.
  public let descriptor: FileDescriptor

  /// On the thread that is to be woken.
  public init() throws(Errno) {
    _ = Signal.block(Signal.set(of: Signal.wake))
    descriptor = try FileDescriptor.signals(Signal.set(of: Signal.wake))
  }

  /// Sleeps for that time, or until it is woken with something to do at once; what else it is woken for (objects that
  /// were opened) can be seen to afterwards.
  func sleep(nanoseconds: UInt64, _ isUrgent: () -> Bool) throws(Errno) {
    let end = ClockTime.monotonic() &+ nanoseconds
    while true {
      let now = ClockTime.monotonic()
      if now >= end { return }
      if try FileDescriptor.waitForInput([descriptor], nanoseconds: end - now) == 0 { continue }
      if isUrgent() { return }
      descriptor.drain()
    }
  }

  /// From any thread. ESRCH: there is no such thread.
  public static func wake(thread: Int32) throws(Errno) { try Signal.send(Signal.wake, toThread: thread) }
}
