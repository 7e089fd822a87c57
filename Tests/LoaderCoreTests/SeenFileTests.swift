import Testing

@testable import LoaderCore

@Suite struct SeenFileTests {
  let directory = TemporaryDirectory()

  /// Written again within a tick of the kernel's clock, a file may have the size and times that it had.
  @Test func youngFilesAreLookedAtOnceMore() throws {
    directory.write("lib.so", "1")
    let status = try FileDescriptor.status(of: directory.path("lib.so"))
    func time(after nanoseconds: Int64) -> ClockTime {
      let sum = Int64(status.changedNanoseconds) + nanoseconds
      let seconds = sum >= 0 ? sum / 1_000_000_000 : -1
      return ClockTime(
        seconds: status.changedSeconds + seconds, nanoseconds: UInt32(sum - seconds * 1_000_000_000))
    }
    for (age, isDoubtful) in [(1, true), (4_000_000, true), (30_000_000, false), (-500_000_000, false)]
      as [(Int64, Bool)]
    {
      #expect(SeenFile(status, at: time(after: age)).isOther(status) == isDoubtful, "\(age)")
    }
    #expect(SeenFile(status, at: time(after: 30_000_000), delay: 1_000_000_000).isOther(status))
    directory.write("lib.so", "22")
    let other = try FileDescriptor.status(of: directory.path("lib.so"))
    #expect(SeenFile(status, at: time(after: 30_000_000)).isOther(other))
    #expect(SeenFile().isOther(status))
  }

  /// The same for a file that changes between being loaded and being watched.
  @Test func doubtfulFilesAreOfTheFirstBatch() throws {
    directory.write("lib.so", "1")
    let path = directory.path("lib.so")
    let watcher = try FileWatcher(settleMilliseconds: 5)
    let status = try FileDescriptor.status(of: path)
    try watcher.add(path, id: 1, known: status)
    #expect(try watcher.waitForBatch(until: ClockTime.monotonic() + 60_000_000).changed.isEmpty)
    try watcher.add(path, id: 1, known: status, isDoubtful: true)
    #expect(try watcher.waitForBatch(until: ClockTime.monotonic() + 5_000_000_000).changed == [1])
  }
}
