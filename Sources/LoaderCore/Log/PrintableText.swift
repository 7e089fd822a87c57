/// Bytes of unknown origin in messages: file names, values, symbols.
extension Text {
  /// Control characters as `\xNN`, so that nobody can forge lines or steer a terminal; at most `limit` + 6 bytes are
  /// appended, the rest is cut.
  public mutating func append(printable bytes: Bytes, limit: Int) {
    let end = self.bytes.count + limit
    var index = 0
    while index < bytes.count && self.bytes.count < end {
      let byte = bytes[index]
      if byte < 32 || byte == 127 {
        append("\\x")
        append(hex: UInt64(byte), width: 2)
      } else {
        append(byte: byte)
      }
      index += 1
    }
    if index < bytes.count { append("...") }
  }

  public mutating func append(printable path: Path) {
    path.withBytes { append(printable: $0, limit: Path.maximum) }
  }
}
