import CKernel

/// Memory of this process that may vanish at any moment (other threads' stacks): read by process_vm_readv(2), which
/// tells instead of faulting.
enum ForeignMemory {
  /// A filter of system calls may forbid it.
  static var canBeRead: Bool {
    var own: UInt64 = 0
    var copied: UInt64 = 0
    return withUnsafeMutablePointer(to: &own) { copy(from: UInt64(UInt(bitPattern: $0)), to: &copied) }
  }

  /// One word.
  static func copy(from address: UInt64, to word: inout UInt64) -> Bool {
    withUnsafeMutableBytes(of: &word) { copy(from: address, to: $0, count: 8) == 8 }
  }

  /// As many words from `address` on as can be read.
  static func words(at address: UInt64, into words: inout [UInt64]) -> Int {
    let size = words.count * 8
    return words.withUnsafeMutableBytes { copy(from: address, to: $0, count: size) } / 8
  }

  /// As many bytes as can be read, in as few system calls as possible. In pages, since the kernel gives up a piece
  /// where one of its pages is missing. Allocates nothing: the caller may have interrupted the allocator.
  static func copy(from address: UInt64, to buffer: UnsafeMutableRawBufferPointer, count: Int) -> Int {
    var done = 0
    while done < count {
      let (got, asked) = copyPages(
        from: address &+ UInt64(done), to: UInt(bitPattern: buffer.baseAddress) + UInt(done), count: count - done)
      if got > 0 { done += got }
      if got != asked { break }
    }
    return done
  }

  /// Pages in one system call, and so struct iovec of other memory.
  private static var pages: Int { 20 }

  private static func copyPages(from address: UInt64, to target: UInt, count: Int) -> (got: Int, asked: Int) {
    var remote = InlineArray<40, UInt>(repeating: 0)
    var pieces = 0
    var asked = 0
    while asked < count, pieces < pages {
      let start = address &+ UInt64(asked)
      let step = min(count - asked, Int(Segments.pageSize - (start & (Segments.pageSize - 1))))
      remote[2 * pieces] = UInt(start)
      remote[2 * pieces + 1] = UInt(step)
      asked += step
      pieces += 1
    }
    var local = (target, UInt(asked))
    let got = withUnsafeMutablePointer(to: &local) { local in
      withUnsafeMutablePointer(to: &remote) { remote in
        luci_syscall6(
          Int(__NR_process_vm_readv), Process.identifier, Int(bitPattern: local), 1, Int(bitPattern: remote), pieces, 0)
      }
    }
    return (got, asked)
  }
}
