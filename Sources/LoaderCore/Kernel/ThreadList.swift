import CKernel

/// The threads of this process, by /proc/self/task.
enum ThreadList {
  static func read() throws(Errno) -> [Int32] {
    let directory = try FileDescriptor.open(Path("/proc/self/task"), flags: O_RDONLY | O_DIRECTORY)
    defer { directory.close() }
    var threads: [Int32] = []
    var buffer = [UInt8](repeating: 0, count: 8192)
    while true {
      let size = try check(
        buffer.withUnsafeMutableBytes {
          luci_syscall3(Int(__NR_getdents64), Int(directory.number), Int(bitPattern: $0.baseAddress), $0.count)
        })
      if size == 0 { return threads }
      buffer.withUnsafeBytes { append(Bytes($0), Int(size), &threads) }
    }
  }

  /// Entries of getdents64(2): inode, offset, length in bytes (16 bits at 16), type, name (from 19 on).
  private static func append(_ entries: Bytes, _ size: Int, _ threads: inout [Int32]) {
    var start = 0
    while start + 19 < size {
      let length = Int(entries.load(UInt16.self, at: start + 16) ?? 0)
      if length < 20 { return }
      var number: Int32 = 0
      var index = start + 19
      while index < min(start + length, size), (48...57).contains(entries[index]) {
        number = number &* 10 &+ Int32(entries[index] - 48)
        index += 1
      }
      if number != 0 { threads.append(number) }
      start += length
    }
  }

  /// How often a thread gave the processor up or lost it, by /proc/self/task/TID/status: as long as this stays, a
  /// waiting thread has not run. nil: there is no such thread.
  static func switches(of thread: Int32) -> UInt64? {
    var path = Text("/proc/self/task/")
    path.append(decimal: Int(thread))
    path.append("/status")
    guard let content = path.bytes.withUnsafeBytes({ smallFile(Path(Bytes($0))) }) else { return nil }
    return content.withUnsafeBytes { sum(Bytes($0)) }
  }

  private static func smallFile(_ path: Path) -> [UInt8]? {
    do throws(Errno) {
      let file = try FileDescriptor.open(path)
      defer { file.close() }
      return try file.content(size: 8192)
    } catch {
      return nil
    }
  }

  /// The lines voluntary_ctxt_switches and nonvoluntary_ctxt_switches (proc(5)).
  static func sum(_ status: Bytes) -> UInt64? {
    let key = Bytes("voluntary_ctxt_switches:\t")
    var total: UInt64 = 0
    var found = 0
    var index = 0
    while index + key.count < status.count {
      guard status[index] == key[0], status.slice(at: UInt64(index), count: UInt64(key.count)) == key else {
        index += 1
        continue
      }
      index += key.count
      var value: UInt64 = 0
      while index < status.count, (48...57).contains(status[index]) {
        value = value &* 10 &+ UInt64(status[index] - 48)
        index += 1
      }
      total = total &+ value
      found += 1
    }
    return found == 2 ? total : nil
  }
}
