import CKernel

/// Whether a call may come from a signal handler. A handler returns to the C library's restorer (sa_restorer), a few
/// bytes of code that make the system call rt_sigreturn: its address on the stack, in whatever frame, counts.
///
/// The question is asked by every call that may do an update's work, in handlers as well: it allocates nothing, takes no
/// lock, and reads 64 KiB in one system call, since nothing but the caller's own page is known to be there.
enum SignalFrame {
  /// So much of the stack above the caller is looked at, in bytes.
  private static var reach: Int { 64 << 10 }

  static func mayBeAbove(_ frame: UInt64, of program: Program) -> Bool {
    // A host without a restorer that is known by its code: every call may be a handler's.
    if program.restorers.isEmpty { return program.standIn != nil }
    guard let room = program.stackRoom, luci_compare_exchange32(room.flag, 0, 1) == 0 else {
      return isFound(from: frame & ~7, program.restorers)
    }
    defer { luci_store_release32(room.flag, 0) }
    let count = ForeignMemory.copy(from: frame & ~7, to: room.words, count: reach)
    // The page of the frame is there. Where it can't be read, nobody can tell.
    return count == 0 || isFound(in: UnsafeRawBufferPointer(rebasing: room.words[..<count]), program.restorers)
  }

  /// Memory for the copy of a stack, and who has it: 0 nobody, 1 somebody, who may be interrupted by the next one.
  struct Room {
    let words: UnsafeMutableRawBufferPointer
    let flag: UnsafeMutablePointer<UInt32>

    init?() {
      guard let start = try? Mapping.anonymous(UInt64(reach) + Segments.pageSize, .readWrite) else { return nil }
      words = ProcessMemory.buffer(at: start, count: UInt64(reach))
      flag = ProcessMemory.pointer(start + UInt64(reach)).assumingMemoryBound(to: UInt32.self)
    }

    /// In a forked child: who had it may not be there.
    func release() { luci_store_release32(flag, 0) }
  }

  private static func isFound(in bytes: UnsafeRawBufferPointer, _ restorers: [UInt64]) -> Bool {
    for index in 0..<bytes.count / 8 {
      let word = bytes.load(fromByteOffset: index &* 8, as: UInt64.self)
      for restorer in restorers where word == restorer { return true }
    }
    return false
  }

  /// In small pieces on the stack, which may be small: another thread has the room.
  private static func isFound(from frame: UInt64, _ restorers: [UInt64]) -> Bool {
    var words = InlineArray<64, UInt64>(repeating: 0)
    return withUnsafeMutableBytes(of: &words) { piece in
      var done = 0
      while done < reach {
        let count = ForeignMemory.copy(from: frame &+ UInt64(done), to: piece, count: piece.count)
        if isFound(in: UnsafeRawBufferPointer(rebasing: piece[..<count]), restorers) { return true }
        if count < piece.count { return done + count == 0 }
        done += count
      }
      return false
    }
  }
}

extension Program {
  /// Before a gate is put up, and before `__luci_update` can be called: on no program thread in a signal handler.
  func prepareForSignals() {
    if stackRoom == nil { stackRoom = SignalFrame.Room() }
    if restorers.isEmpty { restorers = findRestorers() }
  }

  /// `mov $15, %rax; syscall` and its 32-bit form: rt_sigreturn in the host's code.
  func findRestorers() -> [UInt64] {
    var found: [UInt64] = []
    for object in hostObjects {
      for load in object.segments.loads where load.isExecutable && load.isReadable {
        guard let code = object.image.bytes(at: load.address, count: load.memorySize) else { continue }
        code.forEachSignalReturn { found.append(object.bias &+ load.address &+ UInt64($0)) }
      }
    }
    return found
  }
}

extension Bytes {
  fileprivate func forEachSignalReturn(_ body: (Int) -> Void) {
    withUnsafeBytes { (raw) in
      guard raw.count >= 9 else { return }
      for index in 0...(raw.count &- 9) {
        let word = raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        let isLong = word == 0x0f00_0000_0fc0_c748 && raw[index &+ 8] == 5
        if isLong || word & 0xff_ffff_ffff_ffff == 0x05_0f00_0000_0fb8 { body(index) }
      }
    }
  }
}
