/// What `ld-luci.so` was asked to do when it was started directly.
///
/// `ld-luci.so PROGRAM -- ARGS…`, or as with the system's loader `ld-luci.so [options] [--] PROGRAM ARGS…`.
public struct CommandLine {
  public enum Action: Equatable {
    case run
    case help
    case version
    case list
    case verify
    /// Compare two files instead; as a JSON object or for people.
    case check(old: Bytes, new: Bytes, isJSON: Bool)
  }

  public var action = Action.run
  /// Index of the program's name among the arguments.
  public var programIndex = 0
  /// Index of the program's first own argument.
  public var firstArgument = 0
  public var argv0: Bytes?
  /// `--inhibit-rpath`: paths of objects whose own search directories do not count.
  public var withoutRunpath: [Path] = []

  /// A message for standard error; the exit code is that of ld.so for usage errors.
  public struct Failure: Error {
    public let text: [UInt8]
    public let code: Int
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
      if argument == Bytes("--check") {
        action = try CommandLine.check(arguments, from: index)
        return
      }
      if argument == Bytes("--list") || argument == Bytes("--verify") {
        action = argument == Bytes("--list") ? .list : .verify
        continue
      }
      if let name = try CommandLine.value(of: "--argv0", argument, arguments, &index) {
        argv0 = name
        continue
      }
      if let list = try CommandLine.value(of: "--inhibit-rpath", argument, arguments, &index) {
        withoutRunpath += list.parts((58, 32), keepingEmpty: true)
        continue
      }
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

  /// `--check [--json] OLD NEW`, where `--json` may stand anywhere.
  private static func check(_ arguments: [Bytes], from first: Int) throws(Failure) -> Action {
    var files: [Bytes] = []
    var isJSON = false
    for argument in arguments[first...] {
      if argument == Bytes("--json") { isJSON = true } else { files.append(argument) }
    }
    guard files.count == 2 else { throw failure("--check takes two files: OLD NEW", .empty, "", code: 2) }
    return .check(old: files[0], new: files[1], isJSON: isJSON)
  }

  /// The value in `--name VALUE` or `--name=VALUE`; nil for another argument.
  private static func value(
    of name: StaticString, _ argument: Bytes, _ arguments: [Bytes], _ index: inout Int
  ) throws(Failure) -> Bytes? {
    guard argument.hasPrefix(name) else { return nil }
    let length = name.utf8CodeUnitCount
    if argument.count > length {
      return argument[length] == 61 ? argument.suffix(from: UInt64(length + 1)) : nil
    }
    guard index < arguments.count else {
      throw CommandLine.failure("option '", argument, "' requires an argument")
    }
    index += 1
    return arguments[index - 1]
  }

  private static func failure(_ before: StaticString, _ subject: Bytes, _ after: StaticString, code: Int = 127)
    -> Failure
  {
    var text = Text("ld-luci.so: ")
    text.append(before)
    text.append(subject)
    text.append(after)
    text.append(byte: 10)
    return Failure(text: text.bytes, code: code)
  }
}
