import CKernel

/// Looks for return addresses into outdated code on the stacks of threads that wait for something.
///
/// No thread is stopped. A thread whose stack was seen without such an address after the code was taken away can't
/// get one without a fault, so one look at each thread is enough, whenever it is found waiting. For the same reason it
/// may run on while its stack is read: a frame that was there is there still, or was returned to, which is a fault.
struct StackSearch {
  enum Finding: Equatable {
    /// Nothing points into the ranges, or the thread has ended.
    case clean
    case found
    /// It runs at the moment, or the kernel does not tell where it is, or its stack can't be read to the end.
    case notSeen
  }

  private let ranges: [AddressRange]
  /// Ascending.
  private let maps: [FreeSpace.Occupied]
  private let buffer: UInt64

  /// More of one mapping is not looked at: a stack within a heap would end where the heap does.
  private static var depth: UInt64 { 1 << 30 }
  /// Bytes below the stack pointer that functions use without moving it (psABI, "The Stack Frame").
  private static var redZone: UInt64 { 128 }
  /// A signal's frame is the handler's return address and a ucontext (struct rt_sigframe in the kernel's
  /// arch/x86/include/asm/sigframe.h). The word with the segment registers is at 192 (cs 0x33, gs 0, fs 0, ss 0x2b in
  /// 64-bit programs), the interrupted stack pointer at 168; whatever the handler returns to.
  private static var segmentWord: UInt64 { 0x002b_0000_0000_0033 }
  private static var interruptedStack: UInt64 { 192 - 168 }
  /// Handlers that interrupted each other, on stacks of their own.
  private static var stackLimit: Int { 64 }

  init(ranges: [AddressRange], maps: [FreeSpace.Occupied], buffer: UInt64) {
    self.ranges = ranges
    self.buffer = buffer
    self.maps = maps
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
      // It has ended, and only its number is left (the first thread after pthread_exit).
      if stack == 0 { return .clean }
      if isInside(instruction) { return .found }
      let finding = search(from: stack)
      // The first thread on another stack than its own, such as a coroutine's, goes back to its own some time.
      guard finding == .clean, thread == CurrentThread.process, let own = maps.first(where: { $0.isStack }),
        !own.range.contains(stack)
      else { return finding }
      return search(from: own.range.start)
    }
  }

  private func isInside(_ word: UInt64) -> Bool { ranges.contains { $0.contains(word) } }

  /// Looks through the stack from a stack pointer on, and those that handlers on it have interrupted.
  func search(from stack: UInt64) -> Finding {
    var next = [stack]
    var done: [AddressRange] = []
    while let start = next.popLast() {
      guard let whole = stackRange(start) else {
        // A mapping that came after the list was read; what only looks like a handler's frame leads anywhere.
        if done.isEmpty { return .notSeen }
        continue
      }
      if done.contains(where: { $0.start <= whole.start && whole.end <= $0.end }) { continue }
      guard done.count < StackSearch.stackLimit else { return .notSeen }
      let finding = search(whole, from: start, &next)
      if finding == .found { return .found }
      if finding == .notSeen, done.isEmpty { return .notSeen }
      done.append(whole)
    }
    return .clean
  }

  /// From the red zone to the end of the mapping. A stack may be several mappings, one behind the other: parts of it
  /// that were locked, or are not passed on to children, are mappings of their own.
  private func stackRange(_ stack: UInt64) -> AddressRange? {
    guard stack > StackSearch.redZone, var index = maps.firstIndex(where: { $0.range.contains(stack) }) else {
      return nil
    }
    var end = maps[index].range.end
    while index + 1 < maps.count, maps[index + 1].range.start == end,
      maps[index + 1].isPlain || maps[index + 1].isStack
    {
      index += 1
      end = maps[index].range.end
    }
    return AddressRange(start: (stack - StackSearch.redZone) & ~7, end: end)
  }

  private func search(_ whole: AddressRange, from stack: UInt64, _ next: inout [UInt64]) -> Finding {
    var position = whole.start
    var words = [UInt64](repeating: 0, count: 2048)
    while position < whole.end {
      if position > stack, position - stack > StackSearch.depth { return .notSeen }
      let count = min(ForeignMemory.words(at: position, into: &words), Int((whole.end - position) / 8))
      // The red zone may begin below the mapping; elsewhere, what can't be read was not seen.
      if count == 0 {
        guard position < stack & ~7 else { return .notSeen }
        position = stack & ~7
        continue
      }
      for index in 0..<count {
        if isInside(words[index]) { return .found }
        guard words[index] == StackSearch.segmentWord else { continue }
        let place = position + UInt64(index) * 8 - StackSearch.interruptedStack
        var interrupted: UInt64 = 0
        if ForeignMemory.copy(from: place, to: &interrupted), next.count < StackSearch.stackLimit {
          next.append(interrupted)
        }
      }
      position += UInt64(count) * 8
    }
    return .clean
  }
}
