import ELF

/// Why the interpreter of a file can't be read, changed or brought back.
public enum InterpreterError: Error, Equatable {
  case elf(ELFError)
  case staticallyLinked
  case noInterpreter
  case severalInterpreters
  case unterminatedInterpreter
  case emptyPath
  case nulInPath
  /// The most bytes that a path may have here.
  case pathTooLong(limit: Int)
  case nothingRemembered
  /// Tables that overlap each other: no way to place the path could be undone.
  case notReversible

  /// The message without the file's name.
  public var message: String {
    switch self {
    case .elf(let error): "\(error.reason.text) (at \(Hexadecimal.text(error.offset)))"
    case .staticallyLinked: "statically linked: there is no interpreter to change"
    case .noInterpreter: "no PT_INTERP: a shared library or a static PIE"
    case .severalInterpreters: "more than one PT_INTERP"
    case .unterminatedInterpreter: "PT_INTERP is not a NUL-terminated path"
    case .emptyPath: "the path of the new interpreter is empty"
    case .nulInPath: "the path of the new interpreter contains a NUL byte"
    case .pathTooLong(let limit): "the path of the new interpreter is too long: at most \(limit) bytes fit"
    case .nothingRemembered: "no original interpreter is remembered in this file"
    case .notReversible: "overlapping headers: the change could not be undone"
    }
  }
}

enum Hexadecimal {
  static func text(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
