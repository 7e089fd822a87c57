import Bean

extension Text {
  mutating func append(string: String) { append(Array(string.utf8)) }

  /// The name, or section and offset where there is none.
  mutating func append(item index: Int, of table: ItemTable) {
    let place = table.place(index)
    guard place.name.count != 0 else { return append(hex: place.address) }
    append(name: place.name)
    if place.offset != 0 || table.items[index].name.count == 0 {
      append("+")
      append(hex: place.offset)
    }
  }

  /// What a reference leads to.
  mutating func append(target: ItemTarget, of table: ItemTable) {
    switch target.kind {
    case .item:
      append(item: Int(target.index), of: table)
      appendOffset(target.offset)
    case .symbol:
      let entry = table.binary.symbols.entries[Int(target.index)]
      append(name: entry.name)
      if entry.version.count != 0 {
        append("@")
        append(name: entry.version)
      }
      appendOffset(target.offset)
    case .region:
      append(name: table.binary.regions.regions[Int(target.index)].name)
      appendOffset(target.offset)
    case .module: append("the thread-local block")
    case .nowhere: append(hex: target.offset)
    }
  }

  private mutating func appendOffset(_ offset: UInt64) {
    guard offset != 0 else { return }
    let signed = Int64(bitPattern: offset)
    append(signed < 0 ? "-" : "+")
    append(hex: signed.magnitude)
  }

  mutating func append(hash value: UInt64) { append(hex: value, width: 16) }
}

/// Terminal colours (ECMA-48, SGR).
enum Colour: UInt64 {
  case red = 31
  case green = 32
  case yellow = 33
  case cyan = 36
  case grey = 90
}

extension Text {
  mutating func append(_ colour: Colour, _ isUsed: Bool, _ body: (inout Text) -> Void) {
    if isUsed {
      append("\u{1b}[")
      append(decimal: colour.rawValue)
      append("m")
    }
    body(&self)
    if isUsed { append("\u{1b}[0m") }
  }
}

extension ItemTable {
  /// "r-x" and the like, as the object's segments say.
  func permissions(_ item: Item) -> String {
    if item.kind == .threadVariable { return "rw-" }
    guard let segment = binary.file.image.segment(at: item.range.start) else { return "---" }
    return (segment.isReadable ? "r" : "-") + (segment.isWritable ? "w" : "-") + (segment.isExecutable ? "x" : "-")
  }

  func sectionName(_ item: Item) -> Bytes {
    guard item.region >= 0 else { return Bytes(item.kind == .threadVariable ? "TLS" : "-") }
    return binary.regions.regions[Int(item.region)].name
  }
}
