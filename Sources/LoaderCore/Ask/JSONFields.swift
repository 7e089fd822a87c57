/// Members of JSON objects, one after the other.
struct JSONFields {
  private(set) var text = Text("{")
  private var isFirst = true

  private mutating func name(_ name: StaticString) {
    if !isFirst { text.append(",") }
    isFirst = false
    text.append("\"")
    text.append(name)
    text.append("\":")
  }

  mutating func add(_ key: StaticString, _ value: UInt64) {
    name(key)
    text.append(decimal: value)
  }

  mutating func add(_ key: StaticString, _ value: Bool) {
    name(key)
    text.append(value ? "true" : "false")
  }

  mutating func add(_ key: StaticString, _ value: StaticString) {
    name(key)
    text.append(jsonString: Bytes(value))
  }

  mutating func add(_ key: StaticString, _ value: Path) {
    name(key)
    value.withBytes { text.append(jsonString: $0) }
  }

  mutating func add(_ key: StaticString, _ value: Text) {
    name(key)
    value.withBytes { text.append(jsonString: $0) }
  }

  mutating func add(_ key: StaticString, time: ClockTime) {
    name(key)
    text.append("\"")
    text.append(timestamp: time)
    text.append("\"")
  }

  /// Text that is JSON already.
  mutating func add(_ key: StaticString, raw: Text) {
    name(key)
    text.append(raw.bytes)
  }

  mutating func add(_ key: StaticString, list: [Text]) {
    name(key)
    text.append("[")
    for (index, item) in list.enumerated() {
      if index > 0 { text.append(",") }
      text.append(item.bytes)
    }
    text.append("]")
  }

  /// The object, closed.
  var object: Text {
    var result = text
    result.append("}")
    return result
  }
}
