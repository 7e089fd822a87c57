/// How closely threads that pass gates look for the moment of an update that waits (`WaitingUpdate`). They are to notice
/// next to nothing of it: while an object that stood in the way is there, a glance at it is all; when it is gone, the
/// one who sees it goes through the heap. Under the program's lock.
struct GateWatch {
  /// Objects that stood in the way at the last look; 0: none.
  private var witnesses = InlineArray<4, UInt64>(repeating: 0)
  /// CLOCK_MONOTONIC, nanoseconds: before that nobody looks.
  private var nextLook: UInt64 = 0
  /// From then on also where the witnesses seem to be alive: the memory of one that is gone may belong to something
  /// larger, or to another one.
  private var nextCheck: UInt64 = 0
  /// The same for a thread that is kept waiting, which has nothing else to do.
  private var nextHeldCheck: UInt64 = 0
  private(set) var passes = 0

  /// Looking takes at most this part of the time.
  private static var lookShare: UInt64 { 20 }
  private static var checkShare: UInt64 { 100 }
  private static var heldShare: UInt64 { 4 }
  private static var shortestPause: UInt64 { 50_000 }
  /// So many calls may be slowed down by gates, by about `passCost` nanoseconds each, which is the 50th part of the
  /// time that the gates are away then.
  private static var enough: Int { 4_000 }
  private static var passCost: UInt64 { 3_000 }

  /// When gates are put up. `found`: what the helper has just seen alive.
  mutating func begin(_ found: [UInt64]) {
    self = GateWatch()
    note(found)
    if !found.isEmpty { nextCheck = ClockTime.monotonic() + GateWatch.shortestPause * GateWatch.checkShare }
  }

  private mutating func note(_ found: [UInt64]) {
    for index in 0..<4 { witnesses[index] = index < found.count ? found[index] : 0 }
  }

  /// After a look in vain that took so many nanoseconds, and found these.
  mutating func pause(cost: UInt64, _ found: [UInt64]) {
    let now = ClockTime.monotonic()
    nextLook = now + max(GateWatch.shortestPause, cost * GateWatch.lookShare)
    nextCheck = now + max(GateWatch.shortestPause, cost) * GateWatch.checkShare
    nextHeldCheck = now + max(GateWatch.shortestPause, cost) * GateWatch.heldShare
    note(found)
  }

  /// For a thread that is kept waiting: whether it is worth while to look.
  func isWorthALookWhileHeld(_ objects: borrowing HeapObjects) -> Bool {
    !hasWitness(objects) || ClockTime.monotonic() >= nextHeldCheck
  }

  /// So many calls have passed that the gates should be taken away for a while.
  var isWeary: Bool { passes >= GateWatch.enough }

  /// How long.
  var rest: UInt64 { UInt64(passes) * GateWatch.passCost * 50 }

  /// A call passes: whether it is worth while to look.
  mutating func pass(_ objects: borrowing HeapObjects) -> Bool {
    passes += 1
    let now = ClockTime.monotonic()
    return now >= nextLook && (now >= nextCheck || !hasWitness(objects))
  }

  /// Whether an object that stood in the way may still be there.
  func hasWitness(_ objects: borrowing HeapObjects) -> Bool {
    for index in 0..<4 where witnesses[index] != 0 {
      if objects.mayBeAlive(witnesses[index]) { return true }
    }
    return false
  }
}
