import CKernel

/// Looks for return addresses into outdated code on the stacks of threads that wait for something.
///
/// No thread is stopped. A thread whose stack was seen without such an address after the code was taken away can't
/// get one without a fault, so one look at each thread is enough, whenever it is found waiting.
struct StackSearch {
  enum Finding: Equatable {
    /// Nothing points into the ranges, or the thread has ended.
    case clean
    case found
    /// It runs at the moment, or the kernel does not tell where it is.
    case notSeen
  }

  private let ranges: [AddressRange]
  private let maps: [FreeSpace.Occupied]
  private let restorers: [UInt64]
  private let buffer: UInt64

  /// More is not looked at: a stack within a heap would end where the heap does.
  private static var depth: UInt64 { 64 << 20 }
  /// Bytes below the stack pointer that functions use without moving it (psABI, "The Stack Frame").
  private static var redZone: UInt64 { 128 }
  /// From the return address of a signal handler to the stack pointer that was interrupted: struct rt_sigframe is the
  /// address and a ucontext, whose uc_mcontext.gregs[REG_RSP] that is.
  private static var interruptedStack: UInt64 { 168 }

  init(ranges: [AddressRange], restorers: [UInt64], buffer: UInt64) throws(Errno) {
    self.ranges = ranges
    self.restorers = restorers
    self.buffer = buffer
    maps = try FreeSpace.read()
  }

  /// The threads of this process, without those in `except`.
  static func threads(except own: [Int32]) throws(Errno) -> [Int32] {
    let directory = try FileDescriptor.open(Path("/proc/self/task"))
    defer { directory.close() }
    var result: [Int32] = []
    var bytes = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = try check(
        bytes.withUnsafeMutableBytes {
          luci_syscall3(Int(__NR_getdents64), Int(directory.number), Int(bitPattern: $0.baseAddress), $0.count)
        })
      if count == 0 { return result }
      bytes.withUnsafeBytes { collect(Bytes(UnsafeRawBufferPointer(rebasing: $0[0..<count])), own, &result) }
    }
  }

  /// struct linux_dirent64: d_reclen at 16, d_name at 19.
  private static func collect(_ entries: Bytes, _ own: [Int32], _ result: inout [Int32]) {
    var start: UInt64 = 0
    while let length = entries.load(UInt16.self, at: start + 16), length > 19 {
      if let name = entries.cString(at: start + 19, limit: 16), let number = SettingValue.decimal(name) {
        let thread = Int32(truncatingIfNeeded: number)
        if !own.contains(thread) { result.append(thread) }
      }
      start += UInt64(length)
    }
  }

  func look(at thread: Int32) -> Finding {
    switch ThreadPosition.read(thread, buffer: buffer, size: 256) {
    case .gone: return .clean
    case .running, .unknown: return .notSeen
    case .waiting(let stack, let instruction):
      if isInside(instruction) { return .found }
      return search(from: stack, signalFrames: 0)
    }
  }

  private func isInside(_ word: UInt64) -> Bool { ranges.contains { $0.contains(word) } }

  private func search(from stack: UInt64, signalFrames: Int) -> Finding {
    guard stack > StackSearch.redZone, let map = maps.first(where: { $0.range.contains(stack) }) else {
      // A mapping that came after the list was read.
      return .notSeen
    }
    var position = (stack - StackSearch.redZone) & ~7
    let end = min(map.range.end, stack + StackSearch.depth)
    var words = [UInt64](repeating: 0, count: 2048)
    while position < end {
      let count = min(ForeignMemory.words(at: position, into: &words), Int((end - position) / 8))
      // The red zone may begin below the mapping; elsewhere, what can't be read was not seen.
      if count == 0 {
        guard position < stack else { return .notSeen }
        position = stack & ~7
        continue
      }
      for index in 0..<count {
        if isInside(words[index]) { return .found }
        guard restorers.contains(words[index]), signalFrames < 4 else { continue }
        // A handler on a stack of its own: what it interrupted has another one.
        var interrupted: UInt64 = 0
        let place = position + UInt64(index) * 8 + StackSearch.interruptedStack
        guard ForeignMemory.copy(from: place, to: &interrupted), !map.range.contains(interrupted),
          maps.contains(where: { $0.range.contains(interrupted) })
        else { continue }
        let finding = search(from: interrupted, signalFrames: signalFrames + 1)
        if finding != .clean { return finding }
      }
      position += UInt64(count) * 8
    }
    return .clean
  }
}
