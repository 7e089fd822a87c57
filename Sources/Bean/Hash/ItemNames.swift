/// The names that items get. Of several for one place it is always the same one, whatever the order of the tables.
struct ItemNames {
  struct Name {
    let text: Bytes
    let isExport: Bool
  }

  struct Object {
    let range: AddressRange
    let name: Name
  }

  private let functions: [SymbolIndex.Named]
  /// Data, sorted by address, without overlap.
  private let objects: [Object]
  /// By offset in the thread-local block.
  let threadObjects: [Object]

  init(_ binary: Binary) {
    var code: [SymbolIndex.Named] = []
    var data: [SymbolIndex.Named] = []
    for named in binary.symbols.named where named.name.count != 0 {
      if named.isFunction { code.append(named) } else if named.size != 0 { data.append(named) }
    }
    code.sort(by: ItemNames.isBefore)
    data.sort(by: ItemNames.isBefore)
    functions = code
    objects = ItemNames.disjoint(data)
    threadObjects = ItemNames.disjoint(ItemNames.threadNames(binary))
  }

  private static func threadNames(_ binary: Binary) -> [SymbolIndex.Named] {
    var found: [SymbolIndex.Named] = []
    for entry in binary.symbols.entries where entry.isExport && entry.symbol.isTLS {
      found.append(SymbolIndex.Named(entry.name, entry.symbol, isLocal: false))
    }
    if let table = binary.file.debugSymbols ?? binary.file.staticSymbols(binary.sections) {
      for index in 0..<table.limit {
        guard let symbol = table[index], symbol.isTLS, !symbol.isUndefined,
          let name = table.string(at: symbol.nameOffset)
        else { continue }
        found.append(SymbolIndex.Named(name, symbol, isLocal: true))
      }
    }
    return found.sorted(by: isBefore)
  }

  /// By address; then exports before others, larger before smaller, and by name.
  static func isBefore(_ a: SymbolIndex.Named, _ b: SymbolIndex.Named) -> Bool {
    if a.start != b.start { return a.start < b.start }
    if a.isLocal != b.isLocal { return !a.isLocal }
    if a.size != b.size { return a.size > b.size }
    return a.name.precedes(b.name)
  }

  private static func disjoint(_ sorted: [SymbolIndex.Named]) -> [Object] {
    var found: [Object] = []
    var end: UInt64 = 0
    for named in sorted where named.start >= end && named.end > named.start {
      found.append(
        Object(
          range: AddressRange(start: named.start, end: named.end),
          name: Name(text: named.name, isExport: !named.isLocal)))
      end = named.end
    }
    return found
  }

  func function(at address: UInt64) -> Name? {
    let index = ItemNames.lowerBound(functions.count) { functions[$0].start < address }
    guard index < functions.count, functions[index].start == address else { return nil }
    return Name(text: functions[index].name, isExport: !functions[index].isLocal)
  }

  func objects(in range: AddressRange) -> ArraySlice<Object> {
    let first = ItemNames.lowerBound(objects.count) { objects[$0].range.start < range.start }
    let end = ItemNames.lowerBound(objects.count) { objects[$0].range.start < range.end }
    return objects[first..<max(first, end)]
  }

  /// Index of the first element for which `isBelow` is false.
  static func lowerBound(_ count: Int, _ isBelow: (Int) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low &+ high) / 2
      if isBelow(middle) { low = middle &+ 1 } else { high = middle }
    }
    return low
  }
}

extension Bytes {
  /// In the order of their bytes.
  func precedes(_ other: Bytes) -> Bool {
    for index in 0..<min(count, other.count) where self[index] != other[index] { return self[index] < other[index] }
    return count < other.count
  }
}

/// The addresses at which something begins that has no name: where references lead to.
struct ItemBoundaries {
  /// Ascending, each once.
  private let addresses: [UInt64]
  let threadOffsets: [UInt64]

  init(_ binary: Binary) {
    var found: [UInt64] = []
    var offsets: [UInt64] = []
    found.reserveCapacity(binary.code.references.count / 2)
    for reference in binary.code.references where reference.kind != .branch { found.append(reference.target) }
    for entry in binary.relocations.entries {
      if let offset = binary.threadOffset(of: entry) {
        offsets.append(offset)
      } else if let symbol = binary.symbols.symbol(of: entry) {
        if !symbol.symbol.isUndefined { found.append(symbol.symbol.value) }
      } else {
        found.append(UInt64(bitPattern: entry.addend))
      }
    }
    addresses = ItemBoundaries.unique(&found)
    threadOffsets = ItemBoundaries.unique(&offsets)
  }

  private static func unique(_ list: inout [UInt64]) -> [UInt64] {
    list.sort()
    var result: [UInt64] = []
    for value in list where value != result.last { result.append(value) }
    return result
  }

  /// Those inside `range`, ascending.
  func forEach(in range: AddressRange, _ body: (UInt64) -> Void) {
    var index = ItemNames.lowerBound(addresses.count) { addresses[$0] < range.start }
    while index < addresses.count, addresses[index] < range.end {
      body(addresses[index])
      index &+= 1
    }
  }
}
