import Bean

extension JSONWriter {
  public mutating func value(_ string: String) {
    Array(string.utf8).withUnsafeBytes { value(Bytes($0)) }
  }

  public mutating func field(_ name: StaticString, _ string: String) {
    key(name)
    value(string)
  }

  public mutating func field(_ name: StaticString, hex number: UInt64) {
    key(name)
    value("0x" + String(number, radix: 16))
  }
}
