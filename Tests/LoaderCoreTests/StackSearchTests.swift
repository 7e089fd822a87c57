import Glibc
import Testing

@testable import LoaderCore

/// Return addresses into outdated code are found wherever a thread's stack is. The memory here stands for stacks.
@Suite struct StackSearchTests {
  private static let text = AddressRange(start: 0x7000_0000_0000, count: 0x4000)
  private static let inText: UInt64 = 0x7000_0000_1234

  private static let page = 4096

  /// Between two pages that nobody can read: a stack goes on in whatever is mapped right behind it, and that may be the
  /// memory of another of these tests.
  private func memory(_ size: Int) -> UInt64 {
    let room = mmap(nil, size + 2 * Self.page, PROT_NONE, MAP_PRIVATE | Int32(MAP_ANONYMOUS), -1, 0)
    let address = UInt(bitPattern: room) + UInt(Self.page)
    #expect(mprotect(UnsafeMutableRawPointer(bitPattern: address), size, PROT_READ | PROT_WRITE) == 0)
    return UInt64(address)
  }

  private func release(_ address: UInt64, _ size: Int) {
    munmap(UnsafeMutableRawPointer(bitPattern: UInt(address) - UInt(Self.page)), size + 2 * Self.page)
  }

  private func search(from stack: UInt64) throws -> StackSearch.Finding {
    StackSearch(ranges: [Self.text], maps: try FreeSpace.read(), buffer: 0).search(from: stack)
  }

  private func store(_ value: UInt64, at address: UInt64) { ProcessMemory.store(value, at: address) }

  /// Like a signal's frame at `place`: what it interrupted had this stack pointer.
  private func frame(at place: UInt64, interrupted: UInt64) {
    store(interrupted, at: place + 168)
    store(0x002b_0000_0000_0033, at: place + 192)
  }

  @Test func aboveTheStackPointerAndInTheRedZone() throws {
    let size = 1 << 16
    let stack = memory(size)
    defer { release(stack, size) }
    #expect(try search(from: stack + 0x8000) == .clean)
    store(Self.inText, at: stack + 0x100)
    #expect(try search(from: stack + 0x8000) == .clean, "dead frames below do not count")
    store(Self.inText, at: stack + 0x8000 - 128)
    #expect(try search(from: stack + 0x8000) == .found)
    store(0, at: stack + 0x8000 - 128)
    store(Self.text.end, at: stack + UInt64(size) - 8)
    #expect(try search(from: stack + 0x8000) == .clean, "behind the text")
    store(Self.text.end - 1, at: stack + UInt64(size) - 8)
    #expect(try search(from: stack + 0x8000) == .found)
  }

  @Test func stackOfSeveralMappings() throws {
    let size = 1 << 16
    let stack = memory(size)
    defer { release(stack, size) }
    madvise(UnsafeMutableRawPointer(bitPattern: UInt(stack) + 0x8000), 0x1000, Int32(MADV_DONTFORK))
    #expect(try FreeSpace.read().contains { $0.range.start == stack + 0x8000 }, "it is a mapping of its own")
    #expect(try search(from: stack + 0x1000) == .clean)
    store(Self.inText, at: stack + 0xc000)
    #expect(try search(from: stack + 0x1000) == .found)
  }

  /// 100 MiB of frames, of which only those at the end matter.
  @Test func deepStack() throws {
    let size = 100 << 20
    let stack = memory(size)
    defer { release(stack, size) }
    store(Self.inText, at: stack + UInt64(size) - 4096)
    #expect(try search(from: stack + 0x1000) == .found)
  }

  /// A handler waits on a stack of its own, wherever that is, and the interrupted one leads back.
  @Test(arguments: ["elsewhere", "above", "below"])
  func interruptedStack(place: String) throws {
    let size = 1 << 17
    let own = memory(size)
    let other = memory(size)
    defer {
      release(own, size)
      release(other, size)
    }
    let (handler, interrupted) =
      switch place {
      case "elsewhere": (own + 0x4000, other + 0x8000)
      case "above": (own + 0x1_4000, own + 0x8000)
      default: (own + 0x4000, own + 0x1_8000)
      }
    frame(at: handler + 0x200, interrupted: interrupted)
    #expect(try search(from: handler) == .clean)
    store(Self.inText, at: interrupted + 0x40)
    #expect(try search(from: handler) == .found)
  }

  /// What only looks like a frame leads nowhere, or in a circle.
  @Test func framesThatAreNone() throws {
    let size = 1 << 16
    let stack = memory(size)
    defer { release(stack, size) }
    for (index, target) in [0, 1, UInt64.max, stack + 0x1000, stack + 0x800, 0x1000].enumerated() {
      frame(at: stack + 0x2000 + UInt64(index) * 0x200, interrupted: target)
    }
    #expect(try search(from: stack + 0x1000) == .clean)
    #expect(try search(from: 8) == .notSeen)
    #expect(try search(from: 0x7fff_ffff_f000) == .notSeen)
  }

  /// Handlers that interrupted each other on one stack are no reason to give up; on more stacks than are looked at they
  /// are, and then nothing is said.
  @Test func manyFrames() throws {
    let size = 1 << 20
    let stack = memory(size)
    defer { release(stack, size) }
    for index in 0..<200 {
      frame(at: stack + 0x1_0000 + UInt64(index) * 0x200, interrupted: stack + 0x1_0000 + UInt64(index + 1) * 0x200)
    }
    #expect(try search(from: stack + 0x1_0000) == .clean)
    for index in 0..<200 {
      frame(at: stack + 0x1_0000 + UInt64(index) * 0x200, interrupted: stack + UInt64(index) * 0x40)
    }
    #expect(try search(from: stack + 0x1_0000) == .notSeen)
  }

  @Test func threadThatHasEnded() throws {
    let page = memory(4096)
    defer { release(page, 4096) }
    let search = StackSearch(ranges: [Self.text], maps: try FreeSpace.read(), buffer: page)
    #expect(search.look(at: Int32.max) == .clean)
  }

  @Test func tracers() {
    func followed(_ text: StaticString) -> Bool { Tracer.isFollowed(Bytes(text)) }
    #expect(followed("Name:\tx\nTracerPid:\t12\nUid:\t0\n"))
    #expect(!followed("Name:\tx\nTracerPid:\t0\nUid:\t0\n"))
    #expect(!followed(""))
    // rr sets it to 1 for what it records.
    func recorded(_ text: StaticString) -> Bool { Tracer.isRecorded(Bytes(text)) }
    #expect(recorded("A=b\0RUNNING_UNDER_RR=1\0C=d\0"))
    #expect(!recorded("A=b\0RUNNING_UNDER_RR=0\0"))
    #expect(!recorded("A=RUNNING_UNDER_RR=1\0"))
    #expect(!recorded("RUNNING_UNDER_RR=\0"))
    #expect(!recorded(""))
  }

  /// A page may be put back after it was taken away whose use was noted before: until it is served, nothing is said.
  @Test func useThatIsBeingServed() throws {
    let ring = try FaultRing()
    #expect(!ring.isServing)
    ring.begin()
    ring.put(FaultRing.Use(address: 1, thread: 2, stack: 3, instruction: 4, top: 5, time: 6))
    #expect(ring.take()?.address == 1)
    #expect(ring.isServing, "the note is taken, the page not yet there")
    ring.end()
    #expect(!ring.isServing)
  }
}
