import CKernel

/// Keeps threads from making more objects of an old layout for some milliseconds (LD_LAYOUT_HOLD), so that those which
/// other threads have can come to their end: under load somebody always has one.
///
/// Only who comes from outside of the old code, to a function that makes such objects, and hands over none of them, waits
/// at the gate. It may have something that others need for their end, a lock or a turn: then the time is over in vain,
/// and the next attempt is made much later.
final class GateHold {
  /// CLOCK_MONOTONIC, nanoseconds: until then threads wait.
  fileprivate var end: UInt64 = 0
  fileprivate var maps: [FreeSpace.Occupied] = []
  /// One of those who wait looks for the moment; the others sleep on the word.
  fileprivate var hasWatcher = false
  private let word: UnsafeMutablePointer<UInt32>

  init() {
    word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    word.initialize(to: 0)
  }

  deinit { word.deallocate() }

  var isOn: Bool { end != 0 && remaining != 0 }

  /// Nanoseconds. Others may release everybody meanwhile.
  fileprivate var remaining: UInt64 {
    let (end, now) = (self.end, ClockTime.monotonic())
    return end > now ? end - now : 0
  }

  fileprivate var state: UInt32 { luci_load_acquire32(word) }

  fileprivate func sleep(_ state: UInt32, nanoseconds: UInt64) {
    Futex.wait(word, while: state, nanoseconds: nanoseconds)
  }

  /// Everybody goes on.
  func release() {
    if end == 0 { return }
    end = 0
    luci_store_release32(word, state &+ 1)
    Futex.wake(word, count: Int32.max)
  }
}

extension Program {
  /// Under the lock, with gates up; `maps` as they are now.
  func beginHold(_ nanoseconds: UInt64, _ maps: [FreeSpace.Occupied]) {
    hold.maps = maps
    hold.hasWatcher = false
    hold.end = ClockTime.monotonic() + nanoseconds
  }

  /// On a program thread at a gate. `frame`: where its caller's return address lies.
  func waitAtGate(_ index: UInt64, frame: UInt64) {
    guard hold.isOn, !lock.isHeld, !SignalFrame.mayBeAbove(frame, of: self) else { return }
    guard lock.lock(until: hold.end) else { return }
    guard let waiting = gatedUpdate?.waiting, mayWait(waiting, index, frame) else { return lock.unlock() }
    let state = hold.state
    let isWatcher = !hold.hasWatcher
    hold.hasWatcher = true
    lock.unlock()
    while hold.state == state {
      let left = hold.remaining
      if left == 0 { break }
      hold.sleep(state, nanoseconds: isWatcher ? Program.holdGlance : left)
      if isWatcher { lookWhileHeld(waiting, frame) }
    }
  }

  private static var holdGlance: UInt64 { 50_000 }

  private func lookWhileHeld(_ waiting: WaitingUpdate, _ frame: UInt64) {
    guard lock.tryLock() else { return }
    defer { lock.unlock() }
    if gatedUpdate?.waiting === waiting, waiting.watch.isWorthALookWhileHeld(waiting.objects) {
      keepingErrno { finishGatedUpdate(frame: frame) }
    }
  }

  /// Whether the call is by somebody who has nothing of the old layout in his hands.
  private func mayWait(_ waiting: WaitingUpdate, _ index: UInt64, _ frame: UInt64) -> Bool {
    guard waiting.isMaker(gateStubs.original(index)) else { return false }
    // Registers of arguments as the gate's entry (CBoot/gate.S) has saved them: rcx, rdx, rsi, rdi, r8, r9.
    for offset in stride(from: UInt64(32), through: 72, by: 8)
    where waiting.objects.mayBeAlive(ProcessMemory.load(UInt64.self, at: frame - offset)) { return false }
    let survey = ThreadSurvey(waiting.texts, restorers: restorers, maps: hold.maps)
    return survey.position(stack: frame) == .outside
  }
}
