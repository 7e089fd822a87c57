/// What `ld-luci.so` was asked to do when it was started directly.
///
/// `ld-luci.so PROGRAM -- ARGS…`, or as with the system's loader `ld-luci.so [options] [--] PROGRAM ARGS…`.
public struct CommandLine {
  public enum Action: Equatable {
    case run
    case help
    case version
    case list
  }

  public var action = Action.run
  /// Index of the program's name among the arguments.
  public var programIndex = 0
  /// Index of the program's first own argument.
  public var firstArgument = 0
  public var argv0: Bytes?

  /// A message for standard error; the exit code is that of ld.so for usage errors.
  public struct Failure: Error {
    public let text: [UInt8]
  }

  /// `arguments` with the loader's own name first; options that are settings go into `settings`.
  public init(_ arguments: [Bytes], _ settings: inout Settings) throws(Failure) {
    var index = 1
    while index < arguments.count {
      let argument = arguments[index]
      guard argument.hasPrefix("-") else { break }
      index += 1
      if argument == Bytes("--") { break }
      if argument == Bytes("--help") { action = .help } else if argument == Bytes("--version") { action = .version }
      if action == .help || action == .version { return }
      if argument == Bytes("--list") {
        action = .list
        continue
      }
      if try takeArgv0(argument, arguments, &index) { continue }
      let next = index < arguments.count ? arguments[index] : nil
      switch settings.read(option: argument, next: next) {
      case .taken: continue
      case .takenWithNext: index += 1
      case .notASetting:
        throw CommandLine.failure("unrecognized option '", argument, "'\nTry 'ld-luci.so --help'.")
      }
    }
    guard index < arguments.count else {
      throw CommandLine.failure("missing program name\nTry 'ld-luci.so --help'.", .empty, "")
    }
    programIndex = index
    firstArgument = index + 1
    if firstArgument < arguments.count, arguments[firstArgument] == Bytes("--") { firstArgument += 1 }
  }

  /// `--argv0 NAME` or `--argv0=NAME`.
  private mutating func takeArgv0(
    _ argument: Bytes, _ arguments: [Bytes], _ index: inout Int
  ) throws(Failure) -> Bool {
    if argument == Bytes("--argv0") {
      guard index < arguments.count else {
        throw CommandLine.failure("option '", argument, "' requires an argument")
      }
      argv0 = arguments[index]
      index += 1
      return true
    }
    guard argument.hasPrefix("--argv0=") else { return false }
    argv0 = argument.suffix(from: 8)
    return true
  }

  private static func failure(_ before: StaticString, _ subject: Bytes, _ after: StaticString) -> Failure {
    var text = Text("ld-luci.so: ")
    text.append(before)
    text.append(subject)
    text.append(after)
    text.append(byte: 10)
    return Failure(text: text.bytes)
  }
}
