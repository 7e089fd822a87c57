/// Where a value came from; a later one replaces an earlier one.
public enum SettingSource: UInt8, Sendable {
  case preset, file, environment, option

  var text: StaticString {
    switch self {
    case .preset: "the defaults"
    case .file: "the configuration file"
    case .environment: "the environment"
    case .option: "the options"
    }
  }
}

/// One setting's value, checked against its kind. Text is a copy: the program may write over its environment.
struct SettingValue {
  var number: UInt64 = 0
  var text: [UInt8] = []
  var isSet = false

  /// nil where the bytes are no value of the kind. `bytes` is not empty.
  init?(_ bytes: Bytes, _ kind: SettingKind) {
    isSet = true
    switch kind {
    case .flag, .automatic:
      guard bytes.count == 1, bytes[0] == 48 || bytes[0] == 49 else { return nil }
      number = UInt64(bytes[0] - 48)
    case .presence:
      number = 1
    case .number(let maximum):
      guard let value = SettingValue.decimal(bytes), value <= maximum else { return nil }
      number = value
    case .level:
      guard let value = SettingValue.decimal(bytes) ?? LogLevel(name: bytes).map({ UInt64($0.rawValue) }), value <= 7
      else { return nil }
      number = value
    case .format:
      if bytes == Bytes("json") { number = 1 } else if bytes != Bytes("text") { return nil }
    case .policy:
      let words: [StaticString] = ["report", "refuse", "wait"]
      guard let index = words.firstIndex(where: { bytes == Bytes($0) }) else { return nil }
      number = UInt64(index)
    case .detection:
      let words: [StaticString] = ["disabled", "userfaultfd", "uprobes", "uprobes_deps"]
      guard let index = words.firstIndex(where: { bytes == Bytes($0) }) else { return nil }
      number = UInt64(index)
    case .address:
      guard DebugHashAddress(bytes) != nil else { return nil }
      text = bytes.copy()
    case .path:
      guard bytes.count < Path.maximum else { return nil }
      text = bytes.copy()
    case .list:
      text = bytes.copy()
    }
  }

  init() {}

  /// Up to 9 digits, nothing else.
  static func decimal(_ bytes: Bytes) -> UInt64? {
    guard bytes.count > 0, bytes.count <= 9 else { return nil }
    var value: UInt64 = 0
    for index in 0..<bytes.count {
      let byte = bytes[index]
      guard (48...57).contains(byte) else { return nil }
      value = value * 10 + UInt64(byte - 48)
    }
    return value
  }
}
