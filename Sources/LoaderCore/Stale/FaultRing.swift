import CKernel

/// What the fault server tells the helper: one writer, one reader, no lock, since the server may wait for nothing.
struct FaultRing {
  /// A use of text that was away.
  struct Use {
    let address: UInt64
    let thread: Int32
    /// Stack and instruction pointer of the thread, and the word on top of its stack; 0: not known.
    let stack: UInt64
    let instruction: UInt64
    let top: UInt64
    /// Nanoseconds of CLOCK_MONOTONIC.
    let time: UInt64
  }

  private let base: UInt64

  private static var capacity: UInt64 { 512 }
  private static var entrySize: UInt64 { 48 }
  // Layout: written, read, lost, begun, served; entries from 64 on.
  private static var entries: UInt64 { 64 }

  init() throws(Errno) {
    base = try Mapping.anonymous(FaultRing.entries + FaultRing.capacity * FaultRing.entrySize, .readWrite)
  }

  private func counter(_ index: UInt64) -> UInt64 { ProcessMemory.loadAtomically(at: base + index * 8) }
  private func set(_ index: UInt64, _ value: UInt64) { ProcessMemory.storeAtomically(value, at: base + index * 8) }
  private func entry(_ index: UInt64) -> UInt64 {
    base + FaultRing.entries + index % FaultRing.capacity * FaultRing.entrySize
  }

  /// On the server. A full ring loses the use, but not that there was one.
  func put(_ use: Use) {
    let written = counter(0)
    guard written - counter(1) < FaultRing.capacity else { return set(2, counter(2) + 1) }
    let place = entry(written)
    ProcessMemory.store(use.address, at: place)
    ProcessMemory.store(UInt64(UInt32(bitPattern: use.thread)), at: place + 8)
    ProcessMemory.store(use.stack, at: place + 16)
    ProcessMemory.store(use.instruction, at: place + 24)
    ProcessMemory.store(use.top, at: place + 32)
    ProcessMemory.store(use.time, at: place + 40)
    set(0, written + 1)
  }

  /// On the server: around everything that a fault needs.
  func begin() { set(3, counter(3) + 1) }
  func end() { set(4, counter(4) + 1) }

  /// On the helper: a page may be put back after this whose use is in the ring, or was taken from it, already.
  var isServing: Bool { counter(4) != counter(3) }

  /// On the helper.
  func take() -> Use? {
    let read = counter(1)
    guard read < counter(0) else { return nil }
    let place = entry(read)
    let use = Use(
      address: ProcessMemory.load(UInt64.self, at: place),
      thread: Int32(truncatingIfNeeded: ProcessMemory.load(UInt64.self, at: place + 8)),
      stack: ProcessMemory.load(UInt64.self, at: place + 16),
      instruction: ProcessMemory.load(UInt64.self, at: place + 24),
      top: ProcessMemory.load(UInt64.self, at: place + 32), time: ProcessMemory.load(UInt64.self, at: place + 40))
    set(1, read + 1)
    return use
  }

  /// How many uses were lost so far.
  var lost: UInt64 { counter(2) }
}
