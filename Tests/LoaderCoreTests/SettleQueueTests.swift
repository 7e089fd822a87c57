import Testing

@testable import LoaderCore

@Suite struct SettleQueueTests {
  @Test func batchIsCompleteAfterAQuietTime() {
    var queue = SettleQueue(settle: 50)
    #expect(queue.deadline == nil)
    #expect(queue.takeReady(at: 1_000).isEmpty)
    queue.note(2, at: 100)
    queue.note(1, at: 130)
    #expect(queue.deadline == 180)
    #expect(queue.takeReady(at: 179).isEmpty)
    #expect(queue.takeReady(at: 180) == [1, 2])
    #expect(queue.deadline == nil)
  }

  @Test func eachEventStartsTheTimeAnew() {
    var queue = SettleQueue(settle: 50)
    for time in stride(from: UInt64(0), through: 400, by: 40) { queue.note(1, at: time) }
    #expect(queue.takeReady(at: 449).isEmpty)
    #expect(queue.takeReady(at: 450) == [1])
  }

  /// One file written all the time: the other one comes after 20 settle times, the restless one with its own 20.
  @Test func restlessFileDoesNotHoldUpOthersForEver() {
    var queue = SettleQueue(settle: 50)
    queue.note(1, at: 0)
    var taken: [(UInt64, [Int])] = []
    for time in stride(from: UInt64(40), through: 2_200, by: 40) {
      queue.note(2, at: time)
      let ready = queue.takeReady(at: time)
      if !ready.isEmpty { taken.append((time, ready)) }
    }
    #expect(taken.map(\.0) == [1_000, 1_040, 2_080])
    #expect(taken.map(\.1) == [[1], [2], [2]])
  }

  @Test func calmIsToldOnceAfterAFifthOfTheTime() {
    var queue = SettleQueue(settle: 50)
    queue.note(1, at: 100)
    queue.note(2, at: 103)
    #expect(queue.calmDeadline == 110)
    #expect(queue.takeCalm(at: 109).isEmpty)
    #expect(queue.takeCalm(at: 110) == [1])
    #expect(queue.calmDeadline == 113)
    #expect(queue.takeCalm(at: 140) == [2])
    #expect(queue.calmDeadline == nil)
    // They are still on their way.
    #expect(queue.takeReady(at: 152).isEmpty)
    #expect(queue.takeReady(at: 153) == [1, 2])
  }

  /// Written again and again: looked at no more than twice before it settles.
  @Test func calmOfARestlessFile() {
    var queue = SettleQueue(settle: 50)
    var looks = 0
    for time in stride(from: UInt64(0), through: 800, by: 20) {
      queue.note(1, at: time)
      looks += queue.takeCalm(at: time + 15).count
    }
    #expect(looks == 2)
    #expect(queue.takeReady(at: 850) == [1])
    queue.note(1, at: 900)
    #expect(queue.takeCalm(at: 915) == [1])
  }

  @Test func withoutSettleTime() {
    var queue = SettleQueue(settle: 0)
    queue.note(4, at: 10)
    #expect(queue.takeCalm(at: 10).isEmpty)
    #expect(queue.takeReady(at: 10) == [4])
  }

  @Test func forgotten() {
    var queue = SettleQueue(settle: 50)
    queue.note(1, at: 0)
    queue.forget(1)
    #expect(queue.deadline == nil)
  }
}
