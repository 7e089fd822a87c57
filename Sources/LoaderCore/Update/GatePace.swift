/// How often threads that come to gates look whether this is the moment for an update that waits. A look takes as long
/// as going through the heap; they are to notice nothing of it.
struct GatePace {
  /// Times of CLOCK_MONOTONIC in nanoseconds. Before `nextLook` nobody looks without need; 0: at once.
  private var nextLook: UInt64 = 0
  /// Nor before this time where an object is gone that stood in the way.
  private var soonestLook: UInt64 = 0
  private var nextGlance: UInt64 = 0
  /// An object that stood in the way.
  private var witness: UInt64 = 0

  private static var shortestPause: UInt64 { 100_000 }

  /// `witness`: an object that the helper has just seen alive; 0: none. Until it is gone, or for a while (`cost`:
  /// nanoseconds of a look), looking is in vain.
  mutating func startAnew(witness: UInt64 = 0, cost: UInt64 = 0) {
    self = GatePace()
    if witness == 0 { return }
    self.witness = witness
    nextLook = ClockTime.monotonic() + max(GatePace.shortestPause, cost * 10)
  }

  /// After a look in vain.
  mutating func pause(from begin: UInt64, witness: UInt64) {
    let end = ClockTime.monotonic()
    let cost = end - begin
    nextLook = end + max(GatePace.shortestPause, cost * 30)
    soonestLook = end + cost * 10
    self.witness = witness
  }

  /// Where calls follow each other in a fixed order, as creating, using and freeing an object, always the same one
  /// would come first after a pause: chance decides who looks. It is told from the time.
  mutating func isTime() -> Bool {
    if nextLook == 0 { return true }
    let now = ClockTime.monotonic()
    let chance = (now &* 0x9e37_79b9_7f4a_7c15) >> 40
    if now >= nextLook, chance & 3 == 0 { return true }
    guard witness != 0, now >= soonestLook, now >= nextGlance else { return false }
    nextGlance = now + chance % 40_000
    return !HeapObjects.seemsAlive(witness)
  }
}
