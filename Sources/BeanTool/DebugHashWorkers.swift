import Foundation

/// Answers questions on a few threads of its own, and signals when there are answers.
///
/// Everything that more than one thread touches is behind `lock`.
final class DebugHashWorkers: @unchecked Sendable {
  enum Asker {
    case client(Int32, number: Int)
    case datagram(Int32, sockaddr_storage, socklen_t)
  }

  private let service: DebugHashService
  private let queue = OperationQueue()
  private let lock = NSLock()
  private var finished: [(asker: Asker, answer: [UInt8])] = []
  private var waiting = 0
  /// Becomes readable when there are answers.
  let signal: Int32
  private let signalInput: Int32

  private static var maximumThreads: Int { 8 }
  private static var maximumWaiting: Int { 512 }

  init(_ service: DebugHashService) throws {
    self.service = service
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw ToolError("pipe: \(String(cString: strerror(errno)))") }
    (signal, signalInput) = (ends[0], ends[1])
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    queue.maxConcurrentOperationCount = DebugHashWorkers.maximumThreads
  }

  deinit {
    close(signal)
    close(signalInput)
  }

  /// Returns false where too many wait already. What is known is answered at once, as the next answer.
  func ask(_ questions: [String], for asker: Asker) -> Bool {
    let known = questions.compactMap { service.knownAnswer($0) }
    if known.count == questions.count {
      finish(asker, known)
      return true
    }
    let isTooMuch = lock.withLock {
      waiting += 1
      return waiting > DebugHashWorkers.maximumWaiting
    }
    if isTooMuch {
      lock.withLock { waiting -= 1 }
      return false
    }
    let work = Work(asker: asker, questions: questions)
    queue.addOperation { [self] in
      let answers = work.questions.map { service.answer($0) }
      lock.withLock { waiting -= 1 }
      finish(work.asker, answers)
    }
    return true
  }

  /// Handed to a worker, and used by that only.
  private struct Work: @unchecked Sendable {
    let asker: Asker
    let questions: [String]
  }

  private func finish(_ asker: Asker, _ lines: [String]) {
    let answer = Array(lines.map { $0 + "\n" }.joined().utf8)
    lock.withLock { finished.append((asker, answer)) }
    // A full pipe is as good a signal.
    var byte: UInt8 = 0
    _ = write(signalInput, &byte, 1)
  }

  /// Takes all that are there.
  func answers() -> [(asker: Asker, answer: [UInt8])] {
    var bytes = [UInt8](repeating: 0, count: 512)
    _ = read(signal, &bytes, bytes.count)
    return lock.withLock {
      defer { finished = [] }
      return finished
    }
  }
}
