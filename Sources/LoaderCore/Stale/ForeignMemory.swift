import CKernel

/// Memory of this process that may vanish at any moment (other threads' stacks): read by process_vm_readv(2), which
/// tells instead of faulting.
enum ForeignMemory {
  /// One word.
  static func copy(from address: UInt64, to word: inout UInt64) -> Bool {
    withUnsafeMutableBytes(of: &word) { copy(from: address, to: $0, count: 8) == 8 }
  }

  /// As many words from `address` on as can be read.
  static func words(at address: UInt64, into words: inout [UInt64]) -> Int {
    let size = words.count * 8
    return words.withUnsafeMutableBytes { copy(from: address, to: $0, count: size) } / 8
  }

  /// In pages, since a transfer of several pages in one piece is given up where one of them is missing.
  static func copy(from address: UInt64, to buffer: UnsafeMutableRawBufferPointer, count: Int) -> Int {
    var done = 0
    while done < count {
      let start = address &+ UInt64(done)
      let step = min(count - done, Int(Segments.pageSize - (start & (Segments.pageSize - 1))))
      // struct iovec, local and remote.
      var local = (UInt(bitPattern: buffer.baseAddress) + UInt(done), UInt(step))
      var remote = (UInt(start), UInt(step))
      let got = withUnsafeMutablePointer(to: &local) { local in
        withUnsafeMutablePointer(to: &remote) { remote in
          luci_syscall6(
            Int(__NR_process_vm_readv), Process.identifier, Int(bitPattern: local), 1, Int(bitPattern: remote), 1, 0)
        }
      }
      if got > 0 { done += got }
      if got != step { break }
    }
    return done
  }
}
