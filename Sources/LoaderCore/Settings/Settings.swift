/// What the user asked for. Built once at start, in this order: `init`, `readFile` content, environment, options.
///
/// Under AT_SECURE environment and options mean nothing. An empty value counts as not set. A wrong value leaves what
/// was there and makes one line in `warnings`; the caller logs them, since the log itself is made from settings.
public struct Settings {
  public let isSecure: Bool
  public private(set) var warnings: [Text] = []
  private var values: [SettingValue] = []
  private var sources: [SettingSource] = []

  /// More lines than that tell nothing new.
  static var warningLimit: Int { 16 }

  public init(isSecure: Bool) {
    self.isSecure = isSecure
    for setting in Setting.allCases {
      let row = setting.row
      values.append(SettingValue(Bytes(row.preset), row.kind, orUnset: row.preset.utf8CodeUnitCount == 0))
      sources.append(.preset)
    }
  }

  /// All sources at once. `file` is the configuration file's content, empty for none.
  public init(isSecure: Bool, file: Bytes, environment: some Sequence<Bytes>) {
    self.init(isSecure: isSecure)
    read(file: file)
    read(environment: environment)
  }

  /// Lines `NAME=VALUE`; `#` starts a comment line; blanks around name and value do not count.
  public mutating func read(file: Bytes) {
    var start = 0
    while start < file.count {
      var end = start
      while end < file.count && file[end] != 10 { end += 1 }
      if let line = file.slice(at: UInt64(start), count: UInt64(end - start)) { read(line: line.trimmed) }
      start = end + 1
    }
  }

  private mutating func read(line: Bytes) {
    if line.count == 0 || line[0] == 35 { return }
    guard let (name, value) = line.splitAtEqualSign, let setting = Setting(name: name.trimmed) else {
      return warn("unknown line in the configuration file: ", line)
    }
    set(setting, value.trimmed, from: .file)
  }

  /// Entries `NAME=VALUE`; of several with one name the first counts, as for getenv(3).
  public mutating func read(environment: some Sequence<Bytes>) {
    if isSecure { return }
    for entry in environment {
      guard entry.hasPrefix("LD_"), let (name, value) = entry.splitAtEqualSign, let setting = Setting(name: name),
        source(of: setting) != .environment
      else { continue }
      set(setting, value, from: .environment)
    }
  }

  public enum OptionOutcome: Equatable, Sendable {
    case notASetting
    /// `--name=value`, or `--name` for 1.
    case taken
    /// `--name value`: the next argument belongs to it.
    case takenWithNext
  }

  /// Reads one option of `ld-luci.so`. Under AT_SECURE it is recognised, but has no effect.
  public mutating func read(option: Bytes, next: Bytes?) -> OptionOutcome {
    if let (name, value) = option.splitAtEqualSign {
      guard let setting = Setting(option: name) else { return .notASetting }
      if !isSecure { set(setting, value, from: .option) }
      return .taken
    }
    guard let setting = Setting(option: option) else { return .notASetting }
    switch setting.row.kind {
    case .flag, .automatic, .presence:
      if !isSecure { set(setting, Bytes("1"), from: .option) }
      return .taken
    default:
      guard let next else {
        warn("option without its value: ", option)
        return .taken
      }
      if !isSecure { set(setting, next, from: .option) }
      return .takenWithNext
    }
  }

  private mutating func set(_ setting: Setting, _ bytes: Bytes, from source: SettingSource) {
    if bytes.count == 0 { return }
    guard let value = SettingValue(bytes, setting.row.kind), !bytes.containsNUL else {
      var text = Text("wrong value in ")
      text.append(source.text)
      text.append(" for ")
      text.append(setting.row.name)
      text.append(": ")
      return warn(text, bytes)
    }
    values[Int(setting.rawValue)] = value
    sources[Int(setting.rawValue)] = source
    if setting == .debug { warnOfUnknownWords() }
  }

  /// In the words of glibc's loader.
  private mutating func warnOfUnknownWords() {
    for word in debugWords where !word.withBytes(DebugOutput.isKnown) {
      var text = Text("debug option `")
      word.withBytes { text.append(printable: $0, limit: 80) }
      text.append("' unknown; try LD_DEBUG=help")
      warn(text)
    }
  }

  private mutating func warn(_ text: StaticString, _ bytes: Bytes) { warn(Text(text), bytes) }

  private mutating func warn(_ text: Text, _ bytes: Bytes) {
    guard warnings.count < Settings.warningLimit else { return }
    var text = text
    text.append(printable: bytes, limit: 80)
    warnings.append(text)
  }

  mutating func warn(_ text: Text) {
    if warnings.count < Settings.warningLimit { warnings.append(text) }
  }

  public func source(of setting: Setting) -> SettingSource { sources[Int(setting.rawValue)] }
  func value(of setting: Setting) -> SettingValue { values[Int(setting.rawValue)] }
}

extension SettingValue {
  /// A preset of the table; a wrong one would be seen by the tests.
  fileprivate init(_ preset: Bytes, _ kind: SettingKind, orUnset: Bool) {
    self = orUnset ? SettingValue() : SettingValue(preset, kind) ?? SettingValue()
  }
}

extension Bytes {
  /// Without blanks, tabs and carriage returns at both ends.
  var trimmed: Bytes {
    var first = 0
    var end = count
    while first < end && Bytes.isBlank(self[first]) { first += 1 }
    while end > first && Bytes.isBlank(self[end - 1]) { end -= 1 }
    return slice(at: UInt64(first), count: UInt64(end - first)) ?? self
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }

  /// What stands before and behind the first '='.
  var splitAtEqualSign: (Bytes, Bytes)? {
    for index in 0..<count where self[index] == 61 {
      guard let name = slice(at: 0, count: UInt64(index)), let value = suffix(from: UInt64(index + 1)) else {
        return nil
      }
      return (name, value)
    }
    return nil
  }

  var containsNUL: Bool {
    for index in 0..<count where self[index] == 0 { return true }
    return false
  }
}
