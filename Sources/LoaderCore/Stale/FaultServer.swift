import CKernel

/// Puts text back that a thread needs. A thread of its own, beside the helper and with the helper's descriptors: the
/// helper may wait for Luci's lock, which a program thread holds that runs a constructor, and that constructor may be
/// the one that needs the text. So this thread takes no lock, allocates nothing after its start, reads no text, and
/// leaves everything that needs thought to the helper.
final class FaultServer {
  let faults: UserFault
  let ring: FaultRing
  /// Of the helper, which is woken for each use.
  private let helper: Int32
  private let text: UInt64
  /// Readable when the thread is to end (eventfd2(2)).
  private let stop: FileDescriptor

  private static var textSize: Int { 256 }

  init(helper: Int32) throws(Errno) {
    self.helper = helper
    faults = try UserFault()
    do throws(Errno) {
      stop = FileDescriptor(
        Int32(try check(luci_syscall2(Int(__NR_eventfd2), 0, Int(O_CLOEXEC | O_NONBLOCK)))))
      ring = try FaultRing()
      text = try Mapping.anonymous(Segments.pageSize, .readWrite)
    } catch {
      faults.descriptor.close()
      throw error
    }
  }

  /// The thread's whole life.
  func run() {
    while true {
      do throws(Errno) {
        switch try FileDescriptor.waitForInput(faults.descriptor, stop) {
        case 0: continue
        case 1: break
        default: return faults.descriptor.close()
        }
        while let fault = try faults.next() { serve(fault) }
      } catch {
        // Closing is putting everything back: what is registered becomes ordinary memory.
        return faults.descriptor.close()
      }
    }
  }

  /// On the helper, when nothing is registered any more.
  func end() {
    var one: UInt64 = 1
    _ = withUnsafeBytes(of: &one) { stop.writeOnce(Bytes($0)) }
  }

  /// The use is noted before the thread goes on, so that whoever finds no note knows that no code ran.
  private func serve(_ fault: UserFault.Fault) {
    ring.begin()
    let place = position(of: fault.thread)
    ring.put(
      FaultRing.Use(
        address: fault.address, thread: fault.thread, stack: place.stack, instruction: place.instruction,
        top: place.top, time: ClockTime.monotonic()))
    putBack(fault.address & ~(Segments.pageSize - 1))
    ring.end()
    try? ThreadWake.wake(thread: helper)
  }

  private func putBack(_ page: UInt64) {
    let range = AddressRange(start: page, count: Segments.pageSize)
    while true {
      do throws(Errno) {
        return try faults.resume(page)
      } catch {
        if error == .again { continue }
        // Mapped already, or the range is not what it was: the access is tried again either way. Where it can't be
        // mapped by us, it becomes ordinary memory.
        if error.number != EEXIST { try? faults.unregister(range) }
        try? faults.wake(range)
        return
      }
    }
  }

  /// Stack and instruction pointer of a waiting thread, from /proc/self/task/TID/syscall: `-1 SP PC`.
  private func position(of thread: Int32) -> (stack: UInt64, instruction: UInt64, top: UInt64) {
    let position = ThreadPosition.read(thread, buffer: text, size: FaultServer.textSize)
    guard case .waiting(let stack, let instruction) = position else { return (0, 0, 0) }
    var top: UInt64 = 0
    if !ForeignMemory.copy(from: stack, to: &top) { top = 0 }
    return (stack, instruction, top)
  }
}
