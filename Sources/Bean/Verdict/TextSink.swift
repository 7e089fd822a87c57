/// Builds a line of text without String: for status lines of the loader and output of tools.
public struct TextSink {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public mutating func append(_ text: StaticString) { append(Bytes(text)) }

  public mutating func append(_ text: Bytes) {
    text.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  public mutating func append(byte: UInt8) { bytes.append(byte) }

  public mutating func append(decimal value: UInt64) {
    if value >= 10 { append(decimal: value / 10) }
    bytes.append(UInt8(0x30 + value % 10))
  }

  public mutating func append(decimal value: Int) {
    if value < 0 { bytes.append(0x2d) }
    append(decimal: UInt64(value.magnitude))
  }

  /// With 0x before it.
  public mutating func append(hex value: UInt64) {
    append("0x")
    append(digits: value)
  }

  private mutating func append(digits value: UInt64) {
    if value >= 16 { append(digits: value / 16) }
    let digit = UInt8(value % 16)
    bytes.append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
  }

  /// A name from a file: control characters would break lines or steer a terminal, and appear as "?".
  public mutating func append(name: Bytes) {
    for index in 0..<name.count {
      let byte = name[index]
      bytes.append(byte < 0x20 || byte == 0x7f ? 0x3f : byte)
    }
  }
}
