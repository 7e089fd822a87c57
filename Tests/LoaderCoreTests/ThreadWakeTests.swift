import Testing

@testable import LoaderCore

/// Watches come some time after the start, so that short processes end without them; opening a library wakes the
/// helper, and must not bring them forward.
@Suite struct ThreadWakeTests {
  @Test func sleepsOnAfterAnOrdinaryWake() throws {
    let wake = try ThreadWake()
    defer { wake.descriptor.close() }
    try ThreadWake.wake(thread: CurrentThread.id)
    let start = ClockTime.monotonic()
    var asked = 0
    try wake.sleep(nanoseconds: 30_000_000) {
      asked += 1
      return false
    }
    #expect(asked == 1)
    #expect(ClockTime.monotonic() - start >= 30_000_000)
  }

  @Test func endsAtOnceWhenAsked() throws {
    let wake = try ThreadWake()
    defer { wake.descriptor.close() }
    try ThreadWake.wake(thread: CurrentThread.id)
    // For ever, were it not woken.
    try wake.sleep(nanoseconds: 1 << 50) { true }
    // Whoever comes next sees it, too.
    #expect(try FileDescriptor.waitForInput([wake.descriptor], nanoseconds: 0) == 1)
    wake.descriptor.drain()
  }
}
