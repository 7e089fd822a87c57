/// Writes one JSON document (RFC 8259) into a `Text`, commas included.
public struct JSONWriter {
  public var text = Text()
  /// For each open object or array: whether it has an element already.
  private var hasElement: [Bool] = []
  private var isAfterKey = false

  public init() {}

  private mutating func separate() {
    if isAfterKey {
      isAfterKey = false
      return
    }
    guard let last = hasElement.last else { return }
    if last { text.append(",") }
    hasElement[hasElement.count - 1] = true
  }

  public mutating func object(_ body: (inout JSONWriter) -> Void) { container("{", "}", body) }
  public mutating func array(_ body: (inout JSONWriter) -> Void) { container("[", "]", body) }

  private mutating func container(_ open: StaticString, _ close: StaticString, _ body: (inout JSONWriter) -> Void) {
    separate()
    text.append(open)
    hasElement.append(false)
    body(&self)
    hasElement.removeLast()
    text.append(close)
  }

  public mutating func key(_ name: StaticString) {
    separate()
    text.append(jsonString: Bytes(name))
    text.append(":")
    isAfterKey = true
  }

  public mutating func value(_ string: Bytes) {
    separate()
    text.append(jsonString: string)
  }
  public mutating func value(_ number: Int) {
    separate()
    text.append(decimal: number)
  }
  public mutating func value(_ flag: Bool) {
    separate()
    text.append(flag ? "true" : "false")
  }
  public mutating func null() {
    separate()
    text.append("null")
  }

  public mutating func field(_ name: StaticString, _ string: Bytes) {
    key(name)
    value(string)
  }
  public mutating func field(_ name: StaticString, _ number: Int) {
    key(name)
    value(number)
  }
  public mutating func field(_ name: StaticString, _ flag: Bool) {
    key(name)
    value(flag)
  }
}
