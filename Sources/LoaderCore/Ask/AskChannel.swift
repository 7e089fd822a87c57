import CKernel

/// How others ask this process (docs/luci.md): a pipe takes questions, a memory file has the answer to the last one.
///
/// Both are the helper's alone, in its own descriptor table. They have no name anywhere: who asks opens them through
/// /proc/PID/task/TID/fd, which the kernel allows to whom it would show this process's memory, i.e. its user and root
/// (ptrace(2), PTRACE_MODE_READ_FSCREDS). So there is nothing to guess, to occupy or to leave behind, and no
/// namespace is in the way but that of /proc itself.
final class AskChannel {
  let requests: FileDescriptor
  /// Never used; without it the pipe would count as closed.
  private let writer: FileDescriptor
  private let answers: FileDescriptor
  private var pending: [UInt8] = []

  /// A question is at most that long, so that a pipe takes it whole (PIPE_BUF).
  static var questionLimit: Int { 4096 }
  static var answerLimit: Int { 8 << 20 }
  /// `ID LENGTH` and blanks, a line end.
  static var headerSize: Int { 64 }

  /// The name of the memory file tells the number of the pipe.
  init() throws(Errno) {
    var ends: (Int32, Int32) = (0, 0)
    _ = try check(
      withUnsafeMutablePointer(to: &ends) {
        luci_syscall2(Int(__NR_pipe2), Int(bitPattern: $0), Int(O_CLOEXEC | O_NONBLOCK))
      })
    requests = FileDescriptor(ends.0)
    writer = FileDescriptor(ends.1)
    var name = Text("ld-luci:")
    name.append(decimal: UInt64(ends.1))
    do throws(Errno) {
      answers = try FileDescriptor.inMemory(named: Path(name))
    } catch {
      requests.close()
      writer.close()
      throw error
    }
    // One page is enough (F_SETPIPE_SZ): users have a limited number of them (pipe-user-pages-soft). Whoever gets to
    // the descriptor may ask, whatever ids the process had when it made it.
    _ = luci_syscall3(Int(__NR_fcntl), Int(ends.1), 1031, 4096)
    _ = luci_syscall2(Int(__NR_fchmod), Int(ends.1), 0o666)
    _ = luci_syscall2(Int(__NR_fchmod), Int(answers.number), 0o666)
  }

  /// The next complete question: fields that end with NUL, and an empty one behind them. What is no question, or too
  /// long, is thrown away.
  func next() -> [Bytes.Copy]? {
    if let question = nextOfPending() { return question }
    var buffer = [UInt8](repeating: 0, count: AskChannel.questionLimit)
    guard let count = try? buffer.fill(from: requests, at: 0), count > 0 else { return nil }
    pending += buffer[0..<count]
    if let question = nextOfPending() { return question }
    if pending.count >= 2 * AskChannel.questionLimit { pending = [] }
    return nil
  }

  private func nextOfPending() -> [Bytes.Copy]? {
    var fields: [Bytes.Copy] = []
    var start = 0
    var used = 0
    defer { pending.removeSubrange(0..<used) }
    for index in 0..<pending.count where pending[index] == 0 {
      if index > start {
        fields.append(Array(pending[start..<index]))
      } else {
        used = index + 1
        if fields.count >= 2 { return fields }
        fields = []
      }
      start = index + 1
    }
    return nil
  }

  /// The body first, then the header that makes it valid.
  func answer(_ identifier: [UInt8], _ body: Text) {
    var header = Text()
    header.append(Array(identifier.prefix(40)))
    header.append(" ")
    header.append(decimal: UInt64(body.bytes.count))
    while header.bytes.count < AskChannel.headerSize - 1 { header.append(" ") }
    header.append("\n")
    put([UInt8](repeating: 32, count: AskChannel.headerSize), at: 0)
    try? answers.truncate(to: UInt64(AskChannel.headerSize))
    put(body.bytes, at: AskChannel.headerSize)
    put(header.bytes, at: 0)
  }

  private func put(_ bytes: [UInt8], at offset: Int) {
    _ = bytes.withUnsafeBytes {
      luci_syscall4(
        Int(__NR_pwrite64), Int(answers.number), Int(bitPattern: $0.baseAddress), $0.count, offset)
    }
  }
}

extension Bytes {
  typealias Copy = [UInt8]
}
