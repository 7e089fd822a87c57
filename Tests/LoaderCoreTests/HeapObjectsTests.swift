import Foundation
import Testing

@testable import LoaderCore

/// On the heap of the test process, which is glibc's.
@Suite struct HeapObjectsTests {
  /// A size that nothing else here uses.
  private static let size = 61_048

  private func isAlive(_ object: UnsafeMutableRawPointer?) throws -> Bool {
    let objects = try #require(HeapObjects(requests: [UInt64(Self.size)]))
    let found = try #require(objects.find(in: FreeSpace.read(), limit: 1000))
    return found.contains(UInt64(UInt(bitPattern: object)))
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
    #expect(try objects.find(in: FreeSpace.read(), limit: 1000)?.contains(address) == false)
    objects.others = []
    #expect(try objects.find(in: FreeSpace.read(), limit: 1000)?.contains(address) == true)
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
