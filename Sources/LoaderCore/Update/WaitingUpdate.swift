import CKernel

/// An update whose objects on the heap have another layout: it waits for a moment when none of them lives, and no
/// thread is inside the code that makes them (docs/updates.md, "Waiting for the last object").
///
/// The slots that lead into the old versions get gates. From then on nobody enters the old code unseen, and whoever
/// finds that no object lives and no thread is inside, helper or program thread, commits. Gates cost the program's
/// calls something: where there are many calls, they are taken away from time to time.
final class WaitingUpdate {
  /// What stood in the way, the last time.
  enum Obstacle: Equatable {
    /// So many of each size; there may be more.
    case objects([HeapObjects.Count])
    case threads
    case notToBeSeen
  }

  var versions: [NewVersion]
  /// They are bound to the program as it was at the last attempt.
  var isBound = false
  var objects: HeapObjects
  var watch = GateWatch()
  /// CLOCK_MONOTONIC, nanoseconds.
  let since = ClockTime.monotonic()
  /// When the helper looks again.
  var due: UInt64 = 0
  private(set) var obstacle = Obstacle.threads
  var isTold = false
  private var interval: UInt64 = 10_000_000
  /// Until then no gates are put up.
  private var restEnd: UInt64 = 0
  private var rests: UInt64 = 0
  private var pace: HoldPace

  private static var longestInterval: UInt64 { 2_000_000_000 }
  /// Waiting so long is worth a line, and that threads wait as well.
  static var patience: UInt64 { 1_000_000_000 }

  /// `hold`: the longest time in milliseconds for which threads may be kept waiting.
  init?(_ versions: [NewVersion], hold: UInt64) {
    var sizes: [UInt64] = []
    for version in versions where version.hasLayoutRisk {
      guard version.verdict.isRiskOfSizes else { return nil }
      sizes += version.verdict.objectSizes.filter { !sizes.contains($0) }
    }
    guard let objects = HeapObjects(requests: sizes) else { return nil }
    makers = versions.filter { $0.hasLayoutRisk }.flatMap { version in
      version.verdict.nearestMakers.map { version.old.bias &+ $0 }
    }
    (self.versions, self.objects) = (versions, objects)
    pace = HoldPace(longest: hold * 1_000_000, from: since + WaitingUpdate.patience)
  }

  /// The next look, later from time to time; `cost`: nanoseconds that the last one took.
  func postpone(cost: UInt64) {
    let now = ClockTime.monotonic()
    due = now + max(interval, cost * 50)
    interval = min(interval * 2, WaitingUpdate.longestInterval)
    if restEnd > now { due = min(due, restEnd) }
    if let hold = pace.next { due = min(due, max(hold, now + cost * 50)) }
  }

  /// Gates were taken away since many calls came through.
  func rest() {
    rests += 1
    restEnd = ClockTime.monotonic() + watch.rest * min(rests, WaitingUpdate.longestRest)
  }

  private static var longestRest: UInt64 { 10 }

  /// Gates may be put up: objects may come and go.
  var mayAttempt: Bool {
    let now = ClockTime.monotonic()
    return obstacle != .notToBeSeen && (now >= restEnd || pace.next.map { now >= $0 } == true)
  }

  /// For how many nanoseconds threads are to be kept waiting now; nil: not now.
  func takeHold() -> UInt64? { obstacle == .notToBeSeen ? nil : pace.take() }

  /// What stood in the way. Several objects tell more than the first ones that were found.
  func note(_ obstacle: Obstacle, isWhole: Bool) {
    if !isWhole, case .objects = obstacle, case .objects = self.obstacle { return }
    self.obstacle = obstacle
  }

  /// Functions of the old versions that seem to be there to make such objects; empty: not known, any may.
  private let makers: [UInt64]

  /// Whether who calls this function of an old version gets a new object, as far as is known.
  func isMaker(_ function: UInt64) -> Bool { makers.isEmpty || makers.contains(function) }

  /// What it waits for.
  var reason: Text {
    switch obstacle {
    case .threads: return Text("threads that are at work in old code whenever it looks")
    case .notToBeSeen: return Text("a moment when objects of another layout can be looked for")
    case .objects(let counts):
      if counts.isEmpty { return Text("the end of objects of another layout") }
      var text = Text("the end of ")
      for (index, count) in counts.enumerated() {
        if index > 0 { text.append(index + 1 == counts.count ? " and " : ", ") }
        text.append(decimal: count.count)
        text.append(count.count == 1 ? " object of " : " objects of ")
        text.append(decimal: count.request)
        text.append(" bytes")
      }
      if counts.reduce(0, { $0 + $1.count }) >= WaitingUpdate.countLimit { text.append(", or more") }
      return text
    }
  }

  /// More objects are not counted.
  static var countLimit: UInt64 { 100 }

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
  /// Whether this is the moment; nil: it is. Under the lock, with gates up. `frame`: where the calling thread's frames
  /// begin; nil: on the helper. Others that come to a gate wait while it is judged, which is why that comes last, and
  /// is short.
  func isQuiet(_ waiting: WaitingUpdate, frame: UInt64?, _ found: inout [UInt64]) -> WaitingUpdate.Obstacle? {
    guard let maps = try? FreeSpace.read() else { return .notToBeSeen }
    if !hold.isOn, let obstacle = look(for: &waiting.objects, maps, limit: 4, &found) { return obstacle }
    isJudging = true
    if let obstacle = survey(waiting, maps, frame) { return obstacle }
    return look(for: &waiting.objects, maps, limit: 4, &found)
  }

  /// Whether some thread is inside the old code.
  private func survey(
    _ waiting: WaitingUpdate, _ maps: [FreeSpace.Occupied], _ frame: UInt64?
  ) -> WaitingUpdate.Obstacle? {
    guard let threads = try? ThreadList.read() else { return .notToBeSeen }
    // In a child of vfork(2), which has this memory but none of these threads.
    if helperThread != 0, !threads.contains(helperThread) { return .notToBeSeen }
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
    return nil
  }

  /// Threads that run come to a gate, or to a system call, within this time (1 ms), or it is not the moment.
  private static var parkingTime: UInt64 { 1_000_000 }

  /// Objects of the old layouts that live, as far as there are no more than `limit`; nil: none.
  func look(
    for objects: inout HeapObjects, _ maps: [FreeSpace.Occupied], limit: UInt64, _ found: inout [UInt64]
  ) -> WaitingUpdate.Obstacle? {
    objects.others = streamBuffers()
    objects.own = ownHeap()
    guard let alive = objects.find(in: maps, limit: Int(limit)) else { return .notToBeSeen }
    found = alive
    return found.isEmpty ? nil : .objects(objects.counts(of: found))
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

  /// mallopt(3) and the tunables of the same meaning tell the allocator which objects it maps one by one, and how
  /// large heaps are.
  var mayMapSmall: Bool {
    programStack.environmentValue("GLIBC_TUNABLES") != nil
      || UsedSymbols(self, of: nil).contains(Bytes("mallopt"), Bytes(""))
  }

  /// The heap is glibc's: its malloc is the one that the program calls.
  var hasKnownHeap: Bool {
    guard host.streams != 0,
      let malloc = scope.find(SymbolName("malloc"), version: nil, excluding: .pltEntries)
    else { return false }
    return hostObjects.contains { $0 === malloc.object }
  }
}
