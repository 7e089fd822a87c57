import CKernel

/// Where a thread of this process is, as far as the kernel tells without stopping it (/proc/PID/task/TID/syscall).
enum ThreadPosition: Equatable {
  case waiting(stack: UInt64, instruction: UInt64)
  case running
  /// There is no such thread any more, or no /proc.
  case unknown
  case gone

  /// `buffer` is memory of `size` bytes that nobody else uses: the fault server must not allocate.
  static func read(_ thread: Int32, buffer: UInt64, size: Int) -> ThreadPosition {
    // "/proc/self/task/" TID "/syscall", built in the buffer.
    var end = put("/proc/self/task/", at: buffer)
    end = put(decimal: UInt64(UInt32(bitPattern: max(0, thread))), at: end)
    end = put("/syscall", at: end)
    ProcessMemory.store(UInt8(0), at: end)
    let file = luci_syscall4(
      Int(__NR_openat), Int(AT_FDCWD), Int(bitPattern: UInt(buffer)), Int(O_RDONLY | O_CLOEXEC), 0)
    if file == -Int(ENOENT) { return .gone }
    guard file >= 0 else { return .unknown }
    let count = luci_syscall3(Int(__NR_read), file, Int(bitPattern: UInt(buffer)), size)
    _ = luci_syscall1(Int(__NR_close), file)
    if count == -Int(ESRCH) { return .gone }
    guard count > 0 else { return .unknown }
    return parse(ProcessMemory.bytes(at: buffer, count: UInt64(count)))
  }

  private static func put(_ text: StaticString, at place: UInt64) -> UInt64 {
    let bytes = Bytes(text)
    ProcessMemory.copy(from: bytes.memoryAddress, to: place, count: UInt64(bytes.count))
    return place + UInt64(bytes.count)
  }

  private static func put(decimal value: UInt64, at place: UInt64) -> UInt64 {
    var divisor: UInt64 = 1
    while value / divisor >= 10 { divisor *= 10 }
    var end = place
    while divisor > 0 {
      ProcessMemory.store(UInt8(truncatingIfNeeded: 48 + value / divisor % 10), at: end)
      end += 1
      divisor /= 10
    }
    return end
  }

  /// `running`; or a system call's number (-1: none), its arguments unless there is none, stack and instruction
  /// pointer: the last two words of the line count.
  static func parse(_ line: Bytes) -> ThreadPosition {
    if line.hasPrefix("running") { return .running }
    var last: UInt64?
    var previous: UInt64?
    var index = 0
    while index < line.count {
      guard line[index] == 48, line[index + 1] == 120 else {
        index += 1
        continue
      }
      index += 2
      var value: UInt64 = 0
      while let digit = Hexadecimal.digit(line[index]) {
        value = value << 4 | UInt64(digit)
        index += 1
      }
      previous = last
      last = value
    }
    guard let stack = previous, let instruction = last else { return .unknown }
    return .waiting(stack: stack, instruction: instruction)
  }
}

enum Hexadecimal {
  static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 97...102: byte - 87
    case 65...70: byte - 55
    default: nil
    }
  }
}
