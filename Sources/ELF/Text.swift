/// A growing run of bytes for messages: what `print` and `String` would do in a hosted program.
public struct Text: Sendable {
  public private(set) var bytes: [UInt8] = []

  public init() {}
  public init(_ literal: StaticString) { append(literal) }

  public mutating func append(_ literal: StaticString) { append(Bytes(literal)) }
  public mutating func append(_ other: Bytes) {
    other.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }
  public mutating func append(_ other: [UInt8]) { bytes.append(contentsOf: other) }
  public mutating func append(byte: UInt8) { bytes.append(byte) }

  public mutating func append(decimal value: UInt64) {
    append(decimal: value, width: 1)
  }

  public mutating func append(decimal value: Int) { append(signed: Int64(value)) }

  /// With leading zeros up to `width` digits.
  public mutating func append(decimal value: UInt64, width: Int) {
    var digits: [UInt8] = []
    var rest = value
    repeat {
      digits.append(UInt8(truncatingIfNeeded: 48 + rest % 10))
      rest /= 10
    } while rest != 0
    while digits.count < width { digits.append(48) }
    for index in 0..<digits.count { bytes.append(digits[digits.count - 1 - index]) }
  }

  public mutating func append(signed value: Int64) {
    if value < 0 { bytes.append(45) }
    append(decimal: value.magnitude)
  }

  /// Hexadecimal with 0x in front.
  public mutating func append(hex value: UInt64) {
    append("0x")
    append(hex: value, width: 1)
  }

  /// Hexadecimal digits alone, with leading zeros up to `width`.
  public mutating func append(hex value: UInt64, width: Int) {
    var shift = 60
    var started = false
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: (value >> UInt64(shift)) & 15)
      if digit != 0 || shift / 4 < width { started = true }
      if started { bytes.append(digit < 10 ? 48 + digit : 87 + digit) }
      shift -= 4
    }
  }

  public var isEmpty: Bool { bytes.isEmpty }
}
