import Foundation
import Testing

@testable import LoaderCore

/// On the heap of the test process, which is glibc's.
@Suite struct HeapObjectsTests {
  /// A size that nothing else here uses.
  private static let size = 61_048

  private func isAlive(_ object: UnsafeMutableRawPointer?) throws -> Bool {
    var objects = try #require(HeapObjects(requests: [UInt64(Self.size)]))
    let found = try objects.find(in: FreeSpace.read(), limit: 1000)
    return try #require(found).contains(UInt64(UInt(bitPattern: object)))
  }

  /// Large objects leave the heap's lists when they are freed; what comes behind them keeps them from the end. Other
  /// tests use the same heap: where one frees what lies before an object, that object's end can't be seen, and so there
  /// are some attempts.
  @Test func largeObjects() throws {
    var isSeen = false
    for _ in 0..<10 where !isSeen { isSeen = try seesEnds() }
    #expect(isSeen)
  }

  /// Whether each of some objects is alive until it is freed, and no longer.
  private func seesEnds() throws -> Bool {
    let objects = (0..<5).map { _ in (malloc(Self.size), malloc(100)) }
    for object in objects { #expect(try isAlive(object.0)) }
    var isSeen = true
    for object in objects.prefix(3) {
      free(object.0)
      if try isAlive(object.0) { isSeen = false }
    }
    for object in objects.dropFirst(3) {
      #expect(try isAlive(object.0))
      free(object.0)
    }
    for object in objects { free(object.1) }
    return isSeen
  }

  @Test func tooLarge() {
    #expect(HeapObjects(requests: [200 << 10]) == nil)
    #expect(HeapObjects(requests: []) == nil)
  }

  @Test func knownBuffers() throws {
    let object = try #require(malloc(Self.size + 16_000))
    defer { free(object) }
    var objects = try #require(
      HeapObjects(requests: [UInt64(Self.size + 16_000)], others: [UInt64(UInt(bitPattern: object))]))
    let address = UInt64(UInt(bitPattern: object))
    var found = try objects.find(in: FreeSpace.read(), limit: 1000)
    #expect(found?.contains(address) == false)
    objects.others = []
    found = try objects.find(in: FreeSpace.read(), limit: 1000)
    #expect(found?.contains(address) == true)
  }

  /// Memory that belongs to something larger now still has the header of an object that was there. As above, other
  /// tests may change the heap meanwhile.
  @Test func remains() throws {
    var isSeen = false
    for _ in 0..<20 where !isSeen { isSeen = try seesRemains() }
    #expect(isSeen)
  }

  private func seesRemains() throws -> Bool {
    let (before, object) = (malloc(40_000), malloc(Self.size))
    let behind = malloc(100)
    defer { free(behind) }
    #expect(try isAlive(object))
    free(before)
    free(object)
    let larger = malloc(40_000 + Self.size + 8)
    defer { free(larger) }
    let size = object?.load(fromByteOffset: -8, as: UInt64.self) ?? 0
    guard larger == before, size & ~7 == (UInt64(Self.size) + 8 + 15) & ~15 else { return false }
    return try !isAlive(object)
  }

  /// A glance at what may have gone.
  @Test func glance() throws {
    let objects = try #require(HeapObjects(requests: [UInt64(Self.size)]))
    let object = malloc(Self.size)
    let behind = malloc(100)
    let address = UInt64(UInt(bitPattern: object))
    #expect(objects.mayBeAlive(address))
    #expect(!objects.mayBeAlive(address + 16))
    #expect(!objects.mayBeAlive(0))
    #expect(!objects.mayBeAlive(0xffff_ffff_ffff_fff0))
    #expect(!objects.mayBeAlive(UInt64(UInt(bitPattern: behind))))
    free(object)
    free(behind)
  }
}

@Suite struct ThreadSurveyTests {
  @Test func threadList() throws {
    let threads = try ThreadList.read()
    #expect(threads.contains(Int32(truncatingIfNeeded: Process.thread)))
    #expect(Set(threads).count == threads.count)
    #expect(try #require(ThreadList.switches(of: threads[0])) > 0)
    #expect(ThreadList.switches(of: Int32.max) == nil)
  }

  /// A thread that waits in read(2), and text that its return addresses lie in.
  @Test func waitingThread() throws {
    var pipes: [Int32] = [0, 0]
    #expect(pipe(&pipes) == 0)
    let before = Set(try ThreadList.read())
    let reader = pipes[0]
    let thread = Thread {
      var byte: UInt8 = 0
      _ = read(reader, &byte, 1)
      close(reader)
    }
    thread.start()
    defer { close(pipes[1]) }
    let maps = { try FreeSpace.read() }
    // Until it waits.
    var survey = ThreadSurvey([], restorers: [], maps: try maps())
    var found: Int32?
    while found == nil {
      survey = ThreadSurvey([], restorers: [], maps: try maps())
      found = try ThreadList.read().first { !before.contains($0) && survey.position(of: $0) == .outside }
    }
    let waiting = try #require(found)
    let libc = try #require(dlsym(nil, "malloc"))
    let code = try #require(
      maps().first { $0.range.contains(UInt64(UInt(bitPattern: libc))) }, "libc's text is one mapping")
    let inside = ThreadSurvey([CodeRange(range: code.range, isReadable: true)], restorers: [], maps: try maps())
    #expect(inside.position(of: waiting) == .inside)
    #expect(survey.position(of: Int32.max) == .outside, "a thread that is gone")
  }

  /// Pointers to functions lie on stacks, too.
  @Test(
    arguments: [
      ([0x90, 0x90, 0xe8, 1, 2, 3, 4], true), ([0x90, 0xff, 0x15, 1, 2, 3, 4], true),
      ([0, 0, 0, 0, 0, 0xff, 0xd0], true),
      ([0, 0, 0, 0, 0xff, 0x50, 8], true), ([0xff, 0x94, 0xc8, 1, 2, 3, 4], true),
      ([0, 0, 0, 0, 0, 0xff, 0xe0], false),
      ([0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3], false),
    ] as [([UInt8], Bool)])
  func returnAddress(code: [UInt8], isReturn: Bool) {
    code.withUnsafeBytes { bytes in
      let range = AddressRange(start: UInt64(UInt(bitPattern: bytes.baseAddress)), count: 8)
      #expect(CodeRange(range: range, isReadable: true).mayBeReturn(range.start + 7) == isReturn)
      #expect(CodeRange(range: range, isReadable: false).mayBeReturn(range.start + 7))
      #expect(!CodeRange(range: range, isReadable: true).mayBeReturn(range.start + 3))
    }
  }

  @Test func switchLines() {
    func sum(_ text: StaticString) -> UInt64? { ThreadList.sum(Bytes(text)) }
    #expect(sum("x:\t1\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t30\n") == 42)
    #expect(sum("voluntary_ctxt_switches:\t12\n") == nil)
    #expect(sum("") == nil)
  }
}

@Suite struct HoldPaceTests {
  private static let millisecond: UInt64 = 1_000_000

  @Test func never() {
    var pace = HoldPace(longest: 0, from: 0)
    #expect(pace.next == nil)
    let taken = pace.take(now: .max)
    #expect(taken == nil)
  }

  /// It begins small, takes no more than a fiftieth of the time, and is tried less often the more often it was in vain.
  @Test func growsAndGetsRare() throws {
    var pace = HoldPace(longest: 6 * Self.millisecond, from: 100)
    let early = pace.take(now: 99)
    #expect(early == nil)
    var now: UInt64 = 100
    var times: [UInt64] = []
    var distances: [UInt64] = []
    for _ in 0..<70 {
      let taken = pace.take(now: now)
      let time = try #require(taken)
      let next = try #require(pace.next)
      #expect(next - now >= 50 * time)
      let again = pace.take(now: next - 1)
      #expect(again == nil)
      times.append(time / Self.millisecond)
      distances.append((next - now) / time)
      now = next
    }
    #expect(times.prefix(5) == [1, 2, 4, 6, 6])
    #expect(times.allSatisfy { $0 <= 6 })
    #expect(distances.prefix(6) == [50, 50, 50, 50, 100, 150])
    #expect(distances.last == 3000)
  }
}
