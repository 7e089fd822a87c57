/// The last events of the process, for whoever asks later.
final class StatusLedger {
  private let lock = Lock()
  private var records: [StatusRecord] = []
  private var start = 0

  static var limit: Int { 256 }

  /// From any thread. That an object was loaded is seen from the object.
  func note(_ record: StatusRecord) {
    if record.event == .loaded { return }
    lock.lock()
    if records.count < StatusLedger.limit {
      records.append(record)
    } else {
      records[start] = record
      start = (start + 1) % StatusLedger.limit
    }
    lock.unlock()
  }

  /// Oldest first.
  var all: [StatusRecord] {
    lock.lock()
    defer { lock.unlock() }
    return Array(records[start...] + records[..<start])
  }

  /// The newest event of an object that `isWanted`.
  func last(of path: Path, where isWanted: (StatusRecord) -> Bool) -> StatusRecord? {
    all.last { $0.path == path && isWanted($0) }
  }
}
