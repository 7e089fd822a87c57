import Foundation
import Testing

@testable import LoaderCore

@Suite struct LockTests {
  private static let longest: UInt64 = 60_000_000_000

  /// Another thread, which has the lock until it is told to go.
  private final class Holder: @unchecked Sendable {
    let lock: Lock
    private let holds = DispatchSemaphore(value: 0)
    private let goes = DispatchSemaphore(value: 0)

    init(_ lock: Lock) {
      self.lock = lock
      Thread {
        self.lock.lock()
        self.holds.signal()
        self.goes.wait()
        self.lock.unlock()
      }.start()
      holds.wait()
    }

    func go() { goes.signal() }
  }

  @Test func waitsUntilItIsFree() {
    let lock = Lock()
    #expect(lock.lock(until: 0), "nobody has it")
    lock.unlock()
    let holder = Holder(lock)
    #expect(!lock.tryLock())
    holder.go()
    #expect(lock.lock(until: ClockTime.monotonic() + Self.longest))
    #expect(lock.isHeld)
    lock.unlock()
    #expect(!lock.isHeld)
  }

  @Test func givesUp() {
    let lock = Lock()
    let holder = Holder(lock)
    let end = ClockTime.monotonic() + 5_000_000
    #expect(!lock.lock(until: end))
    #expect(ClockTime.monotonic() >= end)
    #expect(!lock.isHeld)
    holder.go()
    // It is as good as before.
    #expect(lock.lock(until: ClockTime.monotonic() + Self.longest))
    lock.unlock()
    #expect(lock.tryLock() && lock.lock(until: 0) && lock.isNested)
    lock.unlock()
    lock.unlock()
  }

  @Test func isRecursive() {
    let lock = Lock()
    lock.lock()
    #expect(!lock.isNested)
    #expect(lock.tryLock())
    #expect(lock.isNested)
    lock.unlock()
    lock.unlock()
    #expect(lock.tryLock())
    lock.unlock()
  }

  @Test func excludes() async {
    let lock = Lock()
    let counter = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    counter.initialize(to: 0)
    nonisolated(unsafe) let shared = (lock, counter)
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<4 {
        group.addTask {
          for _ in 0..<10_000 {
            if number % 2 == 0 { shared.0.lock() } else { _ = shared.0.lock(until: .max) }
            shared.1.pointee += 1
            shared.0.unlock()
          }
        }
      }
    }
    #expect(counter.pointee == 40_000)
  }
}
