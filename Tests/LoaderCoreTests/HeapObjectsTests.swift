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

/// On memory that looks like a heap.
@Suite struct HeapWalkTests {
  private static let size: UInt64 = 64 << 10
  private let memory: AddressRange
  private let window: HeapWindow
  private var sizes = ChunkSizes()

  init() throws {
    memory = AddressRange(start: try Mapping.anonymous(Self.size, .readWrite), count: Self.size)
    window = try #require(HeapWindow())
    sizes.insert(0x1500)
  }

  /// Headers from the start on: a size with flags and how much further on the next one is. The rest is the top.
  private func write(_ chunks: [UInt64], from offset: UInt64 = 0) {
    var place = memory.start + offset
    for chunk in chunks {
      ProcessMemory.store(chunk, at: place + 8)
      place += chunk & ~7
    }
    if place < memory.end { ProcessMemory.store((memory.end - place) | 1, at: place + 8) }
  }

  private func objects(isMain: Bool = true, limit: Int = 10) throws -> (found: [UInt64]?, endsWithTop: Bool) {
    var walk = try #require(HeapWalk(memory, isMain: isMain, window))
    let found = walk.objects(of: sizes, limit: limit) { _ in true }
    return (found?.map { $0 - memory.start }, walk.endsWithTop)
  }

  @Test func chunks() throws {
    write([0x291, 0x1501, 0x41, 0x1501, 0x31, 0x1501])
    let result = try objects()
    #expect(result.found == [0x2a0, 0x17e0, 0x2d10])
    #expect(result.endsWithTop)
    #expect(try objects(limit: 2).found == [0x2a0, 0x17e0])
    // The one behind says that it is free.
    ProcessMemory.store(0x40, at: memory.start + 0x290 + 0x1500 + 8)
    #expect(try objects().found == [0x17e0, 0x2d10])
  }

  /// What an object that is gone has left inside of a larger one.
  @Test func remains() throws {
    write([0x291, 0x8001])
    ProcessMemory.store(UInt64(0x1501), at: memory.start + 0x1000 + 8)
    ProcessMemory.store(UInt64(0x41), at: memory.start + 0x2500 + 8)
    #expect(try objects().found == [])
    let maps = [FreeSpace.Occupied(range: memory, isHeap: false, isStack: false, isPlain: true)]
    var others = try #require(HeapObjects(requests: [0x14f8]))
    others.mapsSmall = true
    #expect(others.find(in: maps, limit: 10) == [memory.start + 0x1010], "where there is no heap, it may be one")
  }

  @Test(arguments: [0, 8, 0x27, 0x1_0000, 0xffff_ffff_ffff_fff1] as [UInt64])
  func noHeap(header: UInt64) throws {
    write([0x291, 0x1501])
    ProcessMemory.store(header, at: memory.start + 0x290 + 0x1500 + 8)
    #expect(try objects().found == nil)
  }

  /// Two small chunks end a heap that goes on elsewhere.
  @Test func fencePosts() throws {
    write([0x291, 0x1501, (Self.size - 0x290 - 0x1500 - 0x20) | 1, 0x11, 0x11])
    let result = try objects()
    #expect(result.found == [0x2a0])
    #expect(!result.endsWithTop)
  }

  /// `struct heap_info` in front, at an address that heaps have.
  @Test func otherArena() throws {
    #expect(HeapWalk(memory, isMain: false, window) == nil)
    let room = try Mapping.anonymous(128 << 20, .readWrite)
    defer { Mapping.unmap(room, 128 << 20) }
    let start = (room + (64 << 20) - 1) & ~((64 << 20) - 1)
    let range = AddressRange(start: start, count: 0x1_0000)
    #expect(HeapWalk(range, isMain: false, window) == nil)
    ProcessMemory.store(start + 0x30, at: start)
    ProcessMemory.store(UInt64(0x1_0000), at: start + 16)
    var place = start + 0x8c0
    for chunk in [0x295, 0x1505, 0x1_0000 - 0x8c0 - 0x290 - 0x1500 + 5] as [UInt64] {
      ProcessMemory.store(chunk, at: place + 8)
      place += chunk & ~7
    }
    var walk = try #require(HeapWalk(range, isMain: false, window))
    let found = walk.objects(of: sizes, limit: 10) { _ in true }
    #expect(found == [start + 0x8c0 + 0x290 + 16])
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
    var pace = HoldPace(longest: 60 * Self.millisecond, from: 100)
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
    #expect(times.prefix(7) == [3, 6, 12, 24, 48, 60, 60])
    #expect(times.allSatisfy { $0 <= 60 })
    #expect(distances.prefix(8) == [50, 50, 50, 50, 50, 50, 100, 150])
    #expect(distances.last == 3000)
  }
}
