import CKernel

/// Whether a call may come from a signal handler. A handler returns to the C library's restorer (sa_restorer), a few
/// bytes of code that make the system call rt_sigreturn: its address on the stack, in whatever frame, counts.
enum SignalFrame {
  /// So much of the stack above the caller is looked at, in bytes.
  static var reach: Int { 64 << 10 }

  static func mayBeAbove(_ frame: UInt64, of program: Program) -> Bool {
    let restorers = program.restorers
    // A host without a restorer that is known by its code: every call may be a handler's.
    if restorers.isEmpty { return program.standIn != nil }
    var words = [UInt64](repeating: 0, count: reach / 8)
    let count = read(from: frame & ~7, into: &words)
    for index in 0..<count where restorers.contains(words[index]) { return true }
    return false
  }

  /// The number of words that could be read: the stack may end before. process_vm_readv(2) on the own process reads
  /// what is there and never faults.
  private static func read(from address: UInt64, into words: inout [UInt64]) -> Int {
    let size = words.count * 8
    let result = words.withUnsafeMutableBytes { buffer -> Int in
      var local = (UInt(bitPattern: buffer.baseAddress), UInt(size))
      // In pages, since a transfer of several pages in one piece is given up where one of them is missing.
      var done = 0
      while done < size {
        let start = address + UInt64(done)
        let step = min(size - done, Int(4096 - (start & 4095)))
        local = (UInt(bitPattern: buffer.baseAddress) + UInt(done), UInt(step))
        var remote = (UInt(start), UInt(step))
        let got = withUnsafeMutablePointer(to: &local) { local in
          withUnsafeMutablePointer(to: &remote) { remote in
            luci_syscall6(
              Int(__NR_process_vm_readv), Process.identifier, Int(bitPattern: local), 1, Int(bitPattern: remote), 1, 0
            )
          }
        }
        if got != step { break }
        done += step
      }
      return done
    }
    return result / 8
  }
}

extension Program {
  /// `mov $15, %rax; syscall` and its 32-bit form: rt_sigreturn in the host's code.
  func findRestorers() -> [UInt64] {
    var found: [UInt64] = []
    for object in hostObjects {
      for load in object.segments.loads where load.isExecutable && load.isReadable {
        guard let code = object.image.bytes(at: load.address, count: load.memorySize) else { continue }
        var index = 0
        while index + 9 <= code.count {
          if code.load(UInt64.self, at: index) == 0x0f00_0000_0fc0_c748, code[index + 8] == 5 {
            found.append(object.bias &+ load.address &+ UInt64(index))
          } else if code.load(UInt32.self, at: index) == 0x0000_0fb8,
            code.load(UInt32.self, at: index + 3) == 0x050f_0000
          {
            found.append(object.bias &+ load.address &+ UInt64(index))
          }
          index += 1
        }
      }
    }
    return found
  }
}
