import CKernel

/// An update whose objects on the heap have another layout: it waits for a moment when none of them lives, and no
/// thread is inside the code that makes them (docs/updates.md, "Layouts").
///
/// The helper looks for live objects from time to time, which costs the program nothing. When there are none, the
/// slots that lead into the old versions get gates. From then on nobody enters the old code unseen, and whoever first
/// finds that no thread is inside and still no object lives, helper or program thread, commits.
final class WaitingUpdate {
  /// What stood in the way, the last time.
  enum Obstacle: Equatable {
    case objects
    case threads
    case notToBeSeen

    /// After "an update waits for".
    var words: StaticString {
      switch self {
      case .objects: "the end of objects of another layout"
      case .threads: "threads that are at work in old code whenever it looks"
      case .notToBeSeen: "a moment when objects of another layout can be looked for"
      }
    }
  }

  var versions: [NewVersion]
  /// They are bound to the program as it was at the last attempt.
  var isBound = false
  var objects: HeapObjects
  /// CLOCK_MONOTONIC, nanoseconds.
  let since = ClockTime.monotonic()
  var due: UInt64 = 0
  var obstacle = Obstacle.threads
  var isTold = false
  /// Gates of earlier attempts by their slots: stubs are never given back, but these may serve again.
  var gates: [UInt64: UInt64] = [:]
  private var interval: UInt64 = 10_000_000

  private static var longestInterval: UInt64 { 2_000_000_000 }
  /// Gates cost the program's calls something: they stay up so long.
  static var attempt: UInt64 { 50_000_000 }
  /// Waiting so long is worth a line.
  static var patience: UInt64 { 1_000_000_000 }

  init?(_ versions: [NewVersion]) {
    var sizes: [UInt64] = []
    for version in versions where version.hasLayoutRisk {
      guard version.verdict.isRiskOfSizes else { return nil }
      sizes += version.verdict.objectSizes
    }
    guard let objects = HeapObjects(requests: sizes) else { return nil }
    (self.versions, self.objects) = (versions, objects)
  }

  /// The next attempt, later from time to time; `cost`: nanoseconds that the last look took.
  func postpone(cost: UInt64) {
    due = ClockTime.monotonic() + max(interval, cost * 50)
    interval = min(interval * 2, WaitingUpdate.longestInterval)
  }

  /// The text of everything that may make objects of the old layouts.
  var texts: [CodeRange] {
    var result: [CodeRange] = []
    for version in versions where version.hasLayoutRisk {
      for object in version.shared.versions {
        for load in object.segments.loads where load.isExecutable {
          let range = AddressRange(start: object.bias &+ load.address, count: load.memorySize)
          result.append(CodeRange(range: range, isReadable: load.isReadable && object === version.old))
        }
      }
    }
    return result
  }
}

extension Program {
  /// Whether this is the moment. Under the lock, with gates up. `frame`: where the calling thread's frames begin;
  /// nil: on the helper. Other threads that come to a gate wait for the lock, which is why the look is short.
  func isQuiet(_ waiting: WaitingUpdate, frame: UInt64?) -> WaitingUpdate.Obstacle? {
    guard let maps = try? FreeSpace.read(), let threads = try? ThreadList.read() else { return .notToBeSeen }
    let survey = ThreadSurvey(waiting.texts, restorers: restorers, maps: maps)
    if let frame, survey.position(stack: frame) != .outside { return .threads }
    let own = Int32(truncatingIfNeeded: Process.thread)
    var unknown = threads.filter { $0 != own && $0 != helperThread }
    let end = ClockTime.monotonic() + Program.parkingTime
    while !unknown.isEmpty {
      var remaining: [Int32] = []
      for thread in unknown {
        switch survey.position(of: thread) {
        case .inside: return .threads
        case .unknown: remaining.append(thread)
        case .outside: break
        }
      }
      unknown = remaining
      if !unknown.isEmpty, ClockTime.monotonic() > end { return .threads }
    }
    guard let isFree = isFree(waiting, maps) else { return .notToBeSeen }
    return isFree ? nil : .objects
  }

  /// Threads that run come to a gate, or to a system call, within this time (1 ms), or it is not the moment.
  private static var parkingTime: UInt64 { 1_000_000 }

  /// Whether no object of the old layouts lives; nil where that can't be told.
  func isFree(_ waiting: WaitingUpdate, _ maps: [FreeSpace.Occupied]) -> Bool? {
    waiting.objects.others = streamBuffers()
    waiting.objects.own = ownHeap()
    return waiting.objects.find(in: maps)?.isEmpty
  }

  private func ownHeap() -> [AddressRange] {
    var words = [UInt64](repeating: 0, count: 64)
    while true {
      let count = words.withUnsafeMutableBufferPointer { gates.heapRegions($0.baseAddress, $0.count) }
      if count <= words.count {
        return stride(from: 0, to: count, by: 2).map { AddressRange(start: words[$0], end: words[$0 + 1]) }
      }
      words = [UInt64](repeating: 0, count: count * 2)
    }
  }

  /// stdio's buffers have the size of some structures. `_IO_list_all` and the head of `struct _IO_FILE`: _IO_buf_base
  /// at 0x38, _chain at 0x68 (libio/bits/types/struct_FILE.h, part of glibc's ABI).
  private func streamBuffers() -> [UInt64] {
    var result: [UInt64] = []
    var file: UInt64 = 0
    guard host.streams != 0, ForeignMemory.copy(from: host.streams, to: &file) else { return [] }
    while file != 0, result.count < 1024 {
      var buffer: UInt64 = 0
      guard ForeignMemory.copy(from: file &+ 0x38, to: &buffer), ForeignMemory.copy(from: file &+ 0x68, to: &file)
      else { break }
      result.append(buffer)
    }
    return result
  }

  /// The heap is glibc's: its malloc is the one that the program calls.
  var hasKnownHeap: Bool {
    guard host.streams != 0,
      let malloc = scope.find(SymbolName("malloc"), version: nil, excluding: .pltEntries)
    else { return false }
    return hostObjects.contains { $0 === malloc.object }
  }
}
