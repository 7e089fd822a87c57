import CKernel

/// A file, FIFO or unix socket that takes lines. Nothing here waits: what the reader does not take at once is
/// dropped.
final class StatusChannel {
  let path: Path
  private(set) var descriptor: FileDescriptor?
  private var isSocket = false
  /// Nothing was there, or a file. What was a socket or a FIFO and is gone will be made again by its reader, who would
  /// be in trouble if a file had its name.
  private(set) var mayCreate: Bool
  /// Why the target could not be opened at the last attempt.
  private(set) var failure: Errno?

  init(_ path: Path, mayCreate: Bool = true) {
    self.path = path
    self.mayCreate = mayCreate
  }

  /// Closes in the calling thread's table.
  func close() {
    descriptor?.close()
    descriptor = nil
  }

  /// The number is closed, or belongs to a table that this process does not have.
  func forget() { descriptor = nil }

  /// Sends and closes.
  func sendOnce(_ line: Bytes) -> Bool {
    let result = send(line)
    close()
    return result
  }

  /// Sends through the open descriptor; opens it where it is not, or once more where its reader has gone or the file
  /// was rotated.
  func send(_ line: Bytes) -> Bool {
    followFile()
    if descriptor != nil {
      let result = put(line)
      if result == line.count { return true }
      if result == -Int(EAGAIN) { return false }
      // Gone, or a line torn in a stream: the next line begins on a new connection.
      close()
      if result > 0 { return false }
    }
    failure = nil
    do throws(Errno) {
      try open()
    } catch {
      failure = error
      return false
    }
    let result = put(line)
    if result != line.count && result != -Int(EAGAIN) { close() }
    return result == line.count
  }

  /// Where the new file can't be opened, the old one is better than none.
  private func followFile() {
    guard let old = descriptor, old.isReplaced(at: path) else { return }
    do throws(Errno) {
      try open()
      old.close()
    } catch {
      isSocket = false
    }
  }

  private func put(_ line: Bytes) -> Int {
    guard let descriptor else { return -Int(EBADF) }
    if isSocket { return UnixSocket.send(line, to: descriptor) }
    return Signal.withoutBrokenPipe { descriptor.writeOnce(line) }
  }

  /// A FIFO without reader gives ENXIO, a socket without listener ECONNREFUSED.
  private func open() throws(Errno) {
    let status = try? FileDescriptor.status(of: path)
    if let status, status.isSocket || status.isFIFO { mayCreate = false }
    isSocket = status?.isSocket ?? false
    if isSocket {
      descriptor = try UnixSocket.connect(path)
    } else {
      descriptor = try FileDescriptor.open(
        path, flags: O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | (mayCreate ? O_CREAT : 0), mode: 0o644)
    }
  }
}
