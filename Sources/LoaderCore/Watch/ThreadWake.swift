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

  /// From any thread. ESRCH: there is no such thread.
  public static func wake(thread: Int32) throws(Errno) { try Signal.send(Signal.wake, toThread: thread) }
}
