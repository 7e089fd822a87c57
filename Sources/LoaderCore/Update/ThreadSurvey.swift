/// Whether threads of the program are outside of some code: they neither run it nor return to it. Seen without
/// stopping them, and so only for threads that wait for the kernel.
///
/// Whatever looks like a return address counts. Stacks of coroutines, which are memory like any other, are not known.
struct ThreadSurvey {
  enum Position {
    case outside
    case inside
    /// It runs, or is in a signal handler, or can't be looked at.
    case unknown
  }

  private let texts: [CodeRange]
  /// Where signal handlers return to: behind one, the stack that it interrupted may be anywhere.
  private let restorers: [UInt64]
  private let maps: [FreeSpace.Occupied]

  /// `maps` are younger than every thread that is asked about has its stack.
  init(_ texts: [CodeRange], restorers: [UInt64], maps: [FreeSpace.Occupied]) {
    (self.texts, self.restorers, self.maps) = (texts, restorers, maps)
  }

  /// Deeper stacks are not looked through.
  private static var depthLimit: UInt64 { 16 << 20 }

  func position(of thread: Int32) -> Position {
    let before = ThreadList.switches(of: thread)
    let place = position(thread)
    if place == .gone { return .outside }
    guard case .waiting(let stack, let instruction) = place, before != nil else { return .unknown }
    // It has ended, and only its number is left (the first thread after pthread_exit).
    if stack == 0 { return .outside }
    if isInside(instruction) { return .inside }
    let found = position(stack: stack)
    guard found == .outside else { return found }
    // It may have run, and come back to the same place, while its stack was read.
    return ThreadList.switches(of: thread) == before ? .outside : .unknown
  }

  private func position(_ thread: Int32) -> ThreadPosition {
    var buffer = [UInt8](repeating: 0, count: 512)
    return buffer.withUnsafeMutableBytes {
      ThreadPosition.read(thread, buffer: UInt64(UInt(bitPattern: $0.baseAddress)), size: $0.count)
    }
  }

  /// Of a thread whose frames lie above `stack`.
  func position(stack: UInt64) -> Position {
    guard let map = maps.first(where: { $0.range.contains(stack) }), map.range.end - stack < ThreadSurvey.depthLimit
    else { return .unknown }
    var words = [UInt64](repeating: 0, count: 512)
    var place = stack & ~7
    while place < map.range.end {
      let count = min(ForeignMemory.words(at: place, into: &words), Int((map.range.end - place) / 8))
      // A guard page ends the stack before the mapping does.
      if count == 0 { return place > stack ? .outside : .unknown }
      for word in words[0..<count] {
        if texts.contains(where: { $0.mayBeReturn(word) }) { return .inside }
        if restorers.contains(word) { return .unknown }
      }
      place += UInt64(count) * 8
    }
    return .outside
  }

  private func isInside(_ address: UInt64) -> Bool { texts.contains { $0.range.contains(address) } }
}

/// Code that return addresses may point into.
struct CodeRange {
  let range: AddressRange
  /// It can be read without being noticed (code of outdated versions is watched): what does not follow a call is no
  /// return address, but a pointer to a function, or a number.
  let isReadable: Bool

  func mayBeReturn(_ address: UInt64) -> Bool {
    guard range.contains(address) else { return false }
    guard isReadable else { return true }
    guard address - range.start >= 7 else { return false }
    let bytes = ProcessMemory.bytes(at: address - 7, count: 7)
    // call rel32; call r/m64 with an operand of 2 to 7 bytes (opcode ff, 2 in the reg field of ModRM).
    if bytes[2] == 0xe8 { return true }
    for length in 2...7 where bytes[7 - length] == 0xff && bytes[8 - length] & 0x38 == 0x10 { return true }
    return false
  }
}
