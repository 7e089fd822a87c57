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
  }

  private let settle: UInt64
  private var pending: [Pending] = []

  static var patience: UInt64 { 20 }

  init(settle: UInt64) { self.settle = settle }

  private var bound: UInt64 { settle * SettleQueue.patience }

  mutating func note(_ id: Int, at now: UInt64) {
    for index in 0..<pending.count where pending[index].id == id {
      pending[index].last = now
      return
    }
    pending.append(Pending(id: id, first: now, last: now))
  }

  mutating func forget(_ id: Int) { pending.removeAll { $0.id == id } }

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
