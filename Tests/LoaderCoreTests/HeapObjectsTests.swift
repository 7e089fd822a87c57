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

  /// Large objects leave the heap's lists when they are freed; what comes behind them keeps them from the end.
  @Test func largeObjects() throws {
    let objects = (0..<5).map { _ in (malloc(Self.size), malloc(100)) }
    for object in objects { #expect(try isAlive(object.0)) }
    for object in objects.prefix(3) {
      free(object.0)
      #expect(try !isAlive(object.0))
    }
    for object in objects.dropFirst(3) {
      #expect(try isAlive(object.0))
      free(object.0)
    }
    for object in objects { free(object.1) }
  }

  @Test func tooLarge() {
    #expect(HeapObjects(requests: [1 << 30]) == nil)
    #expect(HeapObjects(requests: []) == nil)
  }

  /// From a size on, each is a mapping of its own.
  @Test func mappedObjects() throws {
    let size: UInt64 = 3_000_000
    let objects = try #require(HeapObjects(requests: [size]))
    let object = try #require(mmapped(Int(size)))
    let address = UInt64(UInt(bitPattern: object))
    let found = try #require(objects.find(in: FreeSpace.read(), limit: 1000))
    #expect(found.contains(address))
    #expect(objects.counts(of: [address]) == [HeapObjects.Count(request: size, count: 1)])
    free(object)
    #expect(try objects.find(in: FreeSpace.read(), limit: 1000)?.contains(address) == false)
  }

  /// The threshold adapts itself to what was freed.
  private func mmapped(_ size: Int) -> UnsafeMutableRawPointer? {
    // M_MMAP_THRESHOLD; the function is in no header that Swift knows.
    typealias Setting = @convention(c) (CInt, CInt) -> CInt
    guard let address = dlsym(nil, "mallopt") else { return nil }
    let mallopt = unsafeBitCast(address, to: Setting.self)
    _ = mallopt(-3, 1 << 20)
    defer { _ = mallopt(-3, 128 << 10) }
    return malloc(size)
  }

  /// A freed object between two free ones, and one next to the end of the heap, leave what looks like them.
  @Test func remains() throws {
    let objects = (0..<6).map { _ in malloc(Self.size) }
    for object in objects { #expect(try isAlive(object)) }
    for index in [0, 2, 1, 3, 5, 4] {
      free(objects[index])
      // Where the heap changes meanwhile, the remains may count as alive.
      #expect(try (0..<1000).contains { _ in try !isAlive(objects[index]) }, "object \(index)")
    }
  }

  @Test func counts() throws {
    let sizes = [61_064, 61_128]
    let objects = [malloc(sizes[0]), malloc(sizes[1]), malloc(sizes[1])]
    let search = try #require(HeapObjects(requests: sizes.map(UInt64.init)))
    let found = try #require(search.find(in: FreeSpace.read(), limit: 1000))
    let counts = search.counts(of: found)
    #expect(counts.first { $0.request == 61_064 }?.count == 1, "\(counts)")
    #expect(counts.first { $0.request == 61_128 }?.count == 2, "\(counts)")
    for object in objects { free(object) }
  }

  /// A heap of four chunks: in use, free, in use, the rest.
  @Test func walk() {
    var words = [UInt64](repeating: 0, count: 0x1000 / 8)
    words[1] = 0x291
    words[0x290 / 8 + 1] = 0x101
    (words[0x390 / 8], words[0x390 / 8 + 1]) = (0x100, 0x50)
    words[0x3e0 / 8 + 1] = 0xc21
    let map = FreeSpace.Occupied(range: AddressRange(start: 0x10000, count: 0x1000), isHeap: true, isStack: false)
    words.withUnsafeBytes { bytes in
      func pass(_ walk: inout HeapWalk, _ offset: UInt64, _ header: UInt64? = nil) {
        walk.pass(0x10000 + offset, header ?? words[Int(offset / 8) + 1], Bytes(bytes), at: 0x10000)
      }
      var walk = HeapWalk(map)
      #expect(walk.expected == 0x10000)
      pass(&walk, 0)
      #expect(walk.expected == 0x10290 && walk.freeEnd == 0)
      pass(&walk, 0x100, 0x51)
      #expect(walk.expected == 0x10290 && !walk.isLost, "that is no chunk")
      pass(&walk, 0x290)
      #expect(walk.freeEnd == 0x10390)
      pass(&walk, 0x390)
      #expect(walk.freeEnd == 0x10390 && walk.expected == 0x103e0)
      pass(&walk, 0x3e0)
      #expect(walk.freeEnd == 0x11000, "the last one reaches up to the end")
      for size in [0 as UInt64, 0x10, 0x25 << 3, .max] {
        var broken = HeapWalk(map)
        pass(&broken, 0, size)
        #expect(broken.expected == nil && broken.isLost, "\(size)")
      }
    }
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
