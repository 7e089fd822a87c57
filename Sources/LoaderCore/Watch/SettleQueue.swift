/// Objects whose files have changed, until the changes have settled. Times are nanoseconds of CLOCK_MONOTONIC.
///
/// Files that change together become one batch: it is complete when nothing has happened to any of them for the
/// settle time. An object that never comes to rest holds the others up for `patience` settle times at most, and is
/// then looked at itself.
struct SettleQueue {
  private struct Pending {
    let id: Int
    let first: UInt64
    var last: UInt64
    /// Times that it was told to be calm, and whether something happened to it since.
    var looks = 0
    var isNews = true
  }

  private let settle: UInt64
  private var pending: [Pending] = []

  static var patience: UInt64 { 20 }
  /// Looks at a file that has not settled: who writes all the time makes no more work than twice what is needed.
  private static var lookLimit: Int { 2 }

  init(settle: UInt64) { self.settle = settle }

  private var bound: UInt64 { settle * SettleQueue.patience }

  mutating func note(_ id: Int, at now: UInt64) {
    for index in 0..<pending.count where pending[index].id == id {
      pending[index].last = now
      pending[index].isNews = true
      return
    }
    pending.append(Pending(id: id, first: now, last: now))
  }

  mutating func forget(_ id: Int) { pending.removeAll { $0.id == id } }

  /// A fifth of the settle time: most of what happens to a file at once has happened by then.
  private var calm: UInt64 { settle / 5 }

  private func isToBeTold(_ entry: Pending) -> Bool {
    entry.isNews && entry.looks < SettleQueue.lookLimit && calm > 0
  }

  /// When `takeCalm` will have something.
  var calmDeadline: UInt64? { pending.filter(isToBeTold).map { $0.last + calm }.min() }

  /// Those to which nothing has happened for a while, once, in ascending order; they stay in the queue.
  mutating func takeCalm(at now: UInt64) -> [Int] {
    var found: [Int] = []
    for index in pending.indices where isToBeTold(pending[index]) && now >= pending[index].last + calm {
      pending[index].isNews = false
      pending[index].looks += 1
      found.append(pending[index].id)
    }
    return found.sorted()
  }

  /// When `takeReady` will have something; nil for nothing pending.
  var deadline: UInt64? {
    guard let first = pending.map({ $0.first }).min(), let last = pending.map({ $0.last }).max() else { return nil }
    return min(last + settle, first + bound)
  }

  /// Ids in ascending order.
  mutating func takeReady(at now: UInt64) -> [Int] {
    guard let deadline, now >= deadline, let last = pending.map({ $0.last }).max() else { return [] }
    if now >= last + settle {
      let all = pending.map { $0.id }
      pending = []
      return all.sorted()
    }
    let (settle, bound) = (settle, bound)
    func isReady(_ entry: Pending) -> Bool { now >= entry.last + settle || now >= entry.first + bound }
    let ready = pending.filter(isReady).map { $0.id }
    pending.removeAll(where: isReady)
    return ready.sorted()
  }
}
