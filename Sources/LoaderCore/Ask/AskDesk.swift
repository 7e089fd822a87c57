import CKernel

/// Answers questions, on the helper thread.
final class AskDesk {
  let program: Program
  let updater: Updater
  let channel: AskChannel

  init(_ updater: Updater) throws(Errno) {
    self.updater = updater
    program = updater.program
    channel = try AskChannel()
  }

  /// Everything that was asked; the last answer stands. Fields: an id of the asker's choice, a word, arguments.
  func serve() {
    // All that is there, since nobody wakes the helper for it again; but not for ever.
    var rounds = 0
    while rounds < AskChannel.questionLimit, let question = channel.next() {
      rounds += 1
      let arguments = question[2...].map { field -> Path in field.withUnsafeBytes { Path(Bytes($0)) } }
      let answer = question[1].withUnsafeBytes { word -> Text in self.answer(Bytes(word), Array(arguments)) }
      if answer.bytes.count <= AskChannel.answerLimit { channel.answer(question[0], answer) }
    }
  }

  private func answer(_ word: Bytes, _ arguments: [Path]) -> Text {
    if word == Bytes("status") { return ProcessReport(updater).text }
    if word == Bytes("log") { return log() }
    if word == Bytes("pause") { return setPaused(true) }
    if word == Bytes("resume") { return setPaused(false) }
    if word == Bytes("undo") { return undo(arguments) }
    if word == Bytes("check") { return checkFile(arguments) }
    if word == Bytes("detect") { return detect(arguments) }
    return AskDesk.error("unknown question")
  }

  static func error(_ message: StaticString) -> Text { error(Text(message)) }

  static func error(_ message: Text) -> Text {
    var fields = JSONFields()
    fields.add("error", message)
    return fields.object
  }

  private static var done: Text {
    var fields = JSONFields()
    fields.add("done", true)
    return fields.object
  }

  private static var waits: Text {
    var fields = JSONFields()
    fields.add("done", false)
    return fields.object
  }

  private func log() -> Text {
    let process = CurrentThread.process
    var fields = JSONFields()
    fields.add(
      "events",
      list: program.status.ledger.all.map { record in
        var line = record.line(.json, process: process, limit: 16 << 10)
        line.removeLineEnd()
        return line
      })
    return fields.object
  }

  private func setPaused(_ isPaused: Bool) -> Text {
    updater.setPaused(isPaused)
    return AskDesk.done
  }

  private func undo(_ arguments: [Path]) -> Text {
    guard let name = arguments.first else { return AskDesk.error("undo needs an object") }
    switch object(name) {
    case .failure(let error): return AskDesk.error(error.text)
    case .success(let shared):
      switch updater.undo(shared) {
      case .done: return AskDesk.done
      case .waits: return AskDesk.waits
      case .refused(let reason): return AskDesk.error(reason)
      }
    }
  }

  /// `check FILE [OBJECT]`: the object is the one of the file's name unless it is told.
  private func checkFile(_ arguments: [Path]) -> Text {
    guard let file = arguments.first else { return AskDesk.error("check needs a file") }
    switch object(arguments.count > 1 ? arguments[1] : file.lastComponent) {
    case .failure(let error): return AskDesk.error(error.text)
    case .success(let shared): return updater.verdictText(shared, file)
    }
  }

  private func detect(_ arguments: [Path]) -> Text {
    let isOn = arguments.first.map { $0.withBytes { $0 == Bytes("on") } } ?? false
    program.stale?.setWanted(isOn)
    return AskDesk.done
  }

  private struct Unknown: Error {
    let text: Text
  }

  /// By path, or by name where only one object has it.
  private func object(_ name: Path) -> Result<SharedObject, Unknown> {
    program.lock.lock()
    defer { program.lock.unlock() }
    let all = updater.objects.filter { !$0.isGone }
    if let exact = all.first(where: { $0.path == name }) { return .success(exact) }
    let found = all.filter { $0.name == name || $0.path.lastComponent == name }
    if found.count == 1 { return .success(found[0]) }
    var text = Text(found.isEmpty ? "no such object: " : "several objects have this name: ")
    text.append(printable: name)
    return .failure(Unknown(text: text))
  }
}

extension Text {
  mutating func removeLineEnd() {
    if bytes.last == 10 { self = Text(bytes: Array(bytes.dropLast())) }
  }

  init(bytes: [UInt8]) {
    self.init()
    append(bytes)
  }
}
