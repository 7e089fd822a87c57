import Foundation

/// Why a process could not be asked.
public enum AskError: Error, Equatable, CustomStringConvertible {
  case noSuchProcess(Int)
  case notUnderLuci(Int)
  case notPermitted(Int)
  case noAnswer(Int)
  case refused(String)
  case malformed(Int)
  case system(String)

  public var description: String {
    switch self {
    case .noSuchProcess(let pid): "there is no process \(pid)"
    case .notUnderLuci(let pid): "process \(pid) does not run under Luci, or does not answer (LD_CONTROL)"
    case .notPermitted(let pid): "process \(pid) may be asked by its user and root only"
    case .noAnswer(let pid): "process \(pid) does not answer"
    case .refused(let reason): reason
    case .malformed(let pid): "process \(pid) gave an answer that is not understood"
    case .system(let text): text
    }
  }
}

/// A process that runs under Luci, found through /proc.
///
/// Luci's helper thread is called `ld-luci` and has, in a descriptor table of its own, a memory file named
/// `ld-luci:N` for answers and, as number N, a pipe for questions. The kernel decides who may open them.
public struct LuciProcess: Sendable {
  public let pid: Int
  private let directory: String
  let pipe: String
  let file: String

  static let threadName = "ld-luci"
  static let fileName = "/memfd:ld-luci:"
  private static let headerSize = 64
  private static let answerLimit = 16 << 20

  /// `proc`: where the proc file system is mounted. `patience`: a process in its first moments answers a little later.
  public init(pid: Int, proc: String = "/proc", patience: Duration = .milliseconds(500)) throws(AskError) {
    self.pid = pid
    let deadline = ContinuousClock.now + patience
    while true {
      switch try Self.find("\(proc)/\(pid)/task", pid) {
      case .channel(let directory, let file, let pipe):
        (self.directory, self.file, self.pipe) = (directory, file, pipe)
        return
      case .forbidden: throw .notPermitted(pid)
      case .thread where ContinuousClock.now < deadline: usleep(10_000)
      case .thread, .nothing: throw .notUnderLuci(pid)
      }
    }
  }

  private enum Finding {
    case channel(directory: String, file: String, pipe: String)
    /// Luci's thread, which does not answer (yet).
    case thread
    case forbidden
    case nothing
  }

  private static func find(_ tasks: String, _ pid: Int) throws(AskError) -> Finding {
    guard let threads = try? FileManager.default.contentsOfDirectory(atPath: tasks) else {
      throw .noSuchProcess(pid)
    }
    var finding = Finding.nothing
    for thread in threads where text("\(tasks)/\(thread)/comm") == threadName + "\n" {
      let directory = "\(tasks)/\(thread)/fd"
      guard let numbers = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
        finding = .forbidden
        continue
      }
      for number in numbers {
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/\(number)"),
          target.hasPrefix(fileName)
        else { continue }
        let pipe = target.dropFirst(fileName.count).prefix { $0.isNumber }
        return .channel(
          directory: directory, file: "\(directory)/\(number)", pipe: "\(directory)/\(pipe)")
      }
      finding = .thread
    }
    return finding
  }

  /// All that the caller may see.
  public static func all(proc: String = "/proc") -> [LuciProcess] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: proc)) ?? []
    return names.compactMap { Int($0) }.sorted().compactMap {
      try? LuciProcess(pid: $0, proc: proc, patience: .zero)
    }
  }

  /// Asks and waits for the answer, which is JSON.
  public func ask(_ word: String, _ arguments: [String] = [], timeout: Duration = .seconds(5)) throws(AskError)
    -> Data
  {
    let deadline = ContinuousClock.now + timeout
    let answers = try openedFile()
    defer { close(answers) }
    // One asker at a time. The lock goes with the descriptor.
    while flock(answers, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK, ContinuousClock.now < deadline else { throw .noAnswer(pid) }
      usleep(2000)
    }
    let identifier = "\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    try send(identifier, word, arguments)
    var pause: UInt32 = 200
    while ContinuousClock.now < deadline {
      if let answer = Self.answer(answers, identifier) { return answer }
      guard FileManager.default.fileExists(atPath: directory) else { throw .noSuchProcess(pid) }
      usleep(pause)
      pause = min(pause * 2, 5000)
    }
    throw .noAnswer(pid)
  }

  private func send(_ identifier: String, _ word: String, _ arguments: [String]) throws(AskError) {
    var question = Data()
    for field in [identifier, word] + arguments {
      guard !field.isEmpty, !field.utf8.contains(0) else { throw .system("an argument is empty") }
      question += Data(field.utf8) + [0]
    }
    question += [0]
    guard question.count <= Int(PIPE_BUF) else { throw .system("the arguments are too long") }
    let descriptor = try openedPipe()
    defer { close(descriptor) }
    let written = question.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    guard written == question.count else { throw .noAnswer(pid) }
  }

  /// The body, once the header has our identifier.
  private static func answer(_ descriptor: Int32, _ identifier: String) -> Data? {
    guard let header = bytes(descriptor, at: 0, count: headerSize) else { return nil }
    let words = String(decoding: header, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    guard words.count == 2, words[0] == identifier.prefix(40), let length = Int(words[1]), length <= answerLimit
    else { return nil }
    return bytes(descriptor, at: headerSize, count: length)
  }

  private static func bytes(_ descriptor: Int32, at offset: Int, count: Int) -> Data? {
    var data = Data(count: count)
    let got = data.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, count, off_t(offset)) }
    return got == count ? data : nil
  }

  private static func text(_ file: String) -> String? {
    guard let handle = FileHandle(forReadingAtPath: file) else { return nil }
    defer { try? handle.close() }
    return (try? handle.readToEnd()).map { String(decoding: $0, as: UTF8.self) }
  }
}

extension LuciProcess {
  private struct Reply: Decodable {
    var error: String?
  }

  /// The answer as a value; an answer that tells an error is thrown.
  public func decode<Value: Decodable>(
    _ type: Value.Type, _ word: String, _ arguments: [String] = [], timeout: Duration = .seconds(5)
  ) throws(AskError) -> Value {
    let data = try ask(word, arguments, timeout: timeout)
    if let reason = (try? JSONDecoder().decode(Reply.self, from: data))?.error { throw .refused(reason) }
    do { return try JSONDecoder().decode(type, from: data) } catch { throw .malformed(pid) }
  }

  /// With the process id as the asker sees it, which may be another one than the process's own.
  public func status(timeout: Duration = .seconds(5)) throws(AskError) -> ProcessStatus {
    var status = try decode(ProcessStatus.self, "status", timeout: timeout)
    status.pid = pid
    return status
  }

  /// `pause`, `resume`, `undo` and the like; false: it is going to be done some time.
  @discardableResult
  public func order(_ word: String, _ arguments: [String] = [], timeout: Duration = .seconds(5)) throws(AskError)
    -> Bool
  {
    struct Done: Decodable { var done: Bool }
    return try decode(Done.self, word, arguments, timeout: timeout).done
  }
}
