/// When threads are kept waiting for an update, and how long: little at first, never more than a fiftieth of the time,
/// and less often where it has been in vain.
struct HoldPace {
  private let longest: UInt64
  private var time: UInt64
  private var failures: UInt64 = 0
  /// CLOCK_MONOTONIC, nanoseconds; nil: never.
  private(set) var next: UInt64?

  /// Of the longest time.
  private static var firstPart: UInt64 { 20 }
  private static var share: UInt64 { 50 }
  /// In units of the usual distance.
  private static var longestDistance: UInt64 { 60 }

  /// `longest`: nanoseconds; 0: never.
  init(longest: UInt64, from start: UInt64) {
    self.longest = longest
    time = longest / HoldPace.firstPart
    next = longest == 0 ? nil : start
  }

  /// Nanoseconds, if it is time.
  mutating func take(now: UInt64 = ClockTime.monotonic()) -> UInt64? {
    guard let next, now >= next else { return nil }
    let result = time
    if time == longest { failures += 1 }
    time = min(time * 2, longest)
    self.next = now + result * HoldPace.share * min(max(1, failures), HoldPace.longestDistance)
    return result
  }
}
