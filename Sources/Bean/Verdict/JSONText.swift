/// Strings of JSON (RFC 8259).
extension Text {
  /// With its quotes. Bytes that are not UTF-8 become U+FFFD, since JSON knows nothing else.
  public mutating func append(jsonString bytes: Bytes) {
    append("\"")
    var index = 0
    while index < bytes.count {
      let length = UTF8Check.sequenceLength(bytes, at: index)
      if length == 1 {
        append(jsonCharacter: bytes[index])
      } else if length == 0 {
        append("\\ufffd")
      } else {
        for offset in 0..<length { append(byte: bytes[index + offset]) }
      }
      index += max(1, length)
    }
    append("\"")
  }

  /// The text as bytes, valid for the call.
  public func withBytes<R>(_ body: (Bytes) -> R) -> R {
    bytes.withUnsafeBytes { body(Bytes($0)) }
  }

  private mutating func append(jsonCharacter byte: UInt8) {
    switch byte {
    case 34: append("\\\"")
    case 92: append("\\\\")
    case 10: append("\\n")
    case 9: append("\\t")
    case 13: append("\\r")
    case 0..<32, 127:
      append("\\u")
      append(hex: UInt64(byte), width: 4)
    default: append(byte: byte)
    }
  }
}

enum UTF8Check {
  /// Number of bytes of the well-formed sequence at `index` (Unicode, table 3-7); 0 where there is none.
  static func sequenceLength(_ bytes: Bytes, at index: Int) -> Int {
    let first = bytes[index]
    if first < 0x80 { return 1 }
    var length = 2
    var second: ClosedRange<UInt8> = 0x80...0xbf
    switch first {
    case 0xc2...0xdf: break
    case 0xe0: (length, second) = (3, 0xa0...0xbf)
    case 0xe1...0xec, 0xee, 0xef: length = 3
    case 0xed: (length, second) = (3, 0x80...0x9f)
    case 0xf0: (length, second) = (4, 0x90...0xbf)
    case 0xf1...0xf3: length = 4
    case 0xf4: (length, second) = (4, 0x80...0x8f)
    default: return 0
    }
    guard index + length <= bytes.count, second.contains(bytes[index + 1]) else { return 0 }
    for offset in 2..<max(2, length) where bytes[index + offset] & 0xc0 != 0x80 { return 0 }
    return length
  }
}
