/// A file as it was when it was looked at.
///
/// Kernels before 6.13 give files the time of the last tick, 1 to 10 ms ago: who writes a file again right after it was
/// read may leave it with the same size and times. So what was that young is looked at once more.
struct SeenFile {
  let status: FileStatus?
  /// It may have changed since without a sign of it.
  let isDoubtful: Bool

  /// Twice the longest tick, in nanoseconds.
  static var tick: UInt64 { 20_000_000 }

  /// `time`: no earlier than the look, and `delay` nanoseconds later at most.
  init(_ status: FileStatus?, at time: ClockTime, delay: UInt64 = 0) {
    self.status = status
    // 0: by a clock that goes ahead, and says nothing.
    let age = status?.age(at: time) ?? 0
    isDoubtful = age != 0 && age < SeenFile.tick &+ delay
  }

  /// None: whatever is there is new.
  init() {
    status = nil
    isDoubtful = false
  }

  func isOther(_ now: FileStatus) -> Bool { isDoubtful || now != status }
}
