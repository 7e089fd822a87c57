import CKernel

/// A point of time of one of the kernel's clocks (clock_gettime(2)).
public struct ClockTime: Equatable {
  public let seconds: Int64
  public let nanoseconds: UInt32

  public init(seconds: Int64, nanoseconds: UInt32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  /// CLOCK_REALTIME: since 1970-01-01T00:00:00Z.
  public static func now() -> ClockTime { read(CLOCK_REALTIME) }

  /// CLOCK_MONOTONIC, in nanoseconds: for distances in time.
  public static func monotonic() -> UInt64 {
    let time = read(CLOCK_MONOTONIC)
    return UInt64(time.seconds) &* 1_000_000_000 &+ UInt64(time.nanoseconds)
  }

  /// CLOCK_THREAD_CPUTIME_ID: processor time of the calling thread, in nanoseconds. What work costs, however busy the
  /// machine is.
  static func spent() -> UInt64 {
    let time = read(CLOCK_THREAD_CPUTIME_ID)
    return UInt64(time.seconds) &* 1_000_000_000 &+ UInt64(time.nanoseconds)
  }

  /// The clock cannot fail for these; a filter that forbids the call leaves the time at 0.
  private static func read(_ clock: Int32) -> ClockTime {
    var raw = __kernel_timespec()
    _ = withUnsafeMutablePointer(to: &raw) {
      luci_syscall2(Int(__NR_clock_gettime), Int(clock), Int(bitPattern: $0))
    }
    return ClockTime(
      seconds: max(0, Int64(raw.tv_sec)), nanoseconds: UInt32(truncatingIfNeeded: raw.tv_nsec))
  }
}

extension Text {
  /// `2026-11-21T02:43:13.541158Z` (RFC 3339, UTC, microseconds), by arithmetic of our own: there is no C library.
  public mutating func append(timestamp time: ClockTime) {
    var days = time.seconds / 86_400
    var second = time.seconds % 86_400
    if second < 0 {
      second += 86_400
      days -= 1
    }
    let date = CivilDate(daysSince1970: days)
    append(decimal: UInt64(max(0, date.year)), width: 4)
    append("-")
    append(decimal: UInt64(date.month), width: 2)
    append("-")
    append(decimal: UInt64(date.day), width: 2)
    append("T")
    append(decimal: UInt64(second / 3_600), width: 2)
    append(":")
    append(decimal: UInt64(second / 60 % 60), width: 2)
    append(":")
    append(decimal: UInt64(second % 60), width: 2)
    append(".")
    append(decimal: UInt64(time.nanoseconds / 1_000), width: 6)
    append("Z")
  }
}

/// A day of the proleptic Gregorian calendar.
struct CivilDate {
  let year: Int64
  let month: Int64
  let day: Int64

  /// Counts in eras of 400 years (146,097 days) that begin on March 1st, so that the leap day is a year's last.
  init(daysSince1970 days: Int64) {
    let sinceMarch0 = days + 719_468
    let era = (sinceMarch0 >= 0 ? sinceMarch0 : sinceMarch0 - 146_096) / 146_097
    let dayOfEra = sinceMarch0 - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shifted + 2) / 5 + 1
    month = shifted < 10 ? shifted + 3 : shifted - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }
}
