/// All functions and data of an object, with what each refers to and a hash of it in two parts.
///
/// Every byte of the sections that a program uses belongs to one item: where no symbol tells where a variable or
/// constant begins, an address that code or a relocation refers to does.
public final class ItemTable {
  public let binary: Binary
  public let options: ItemOptions
  /// Code and data by address up to `threadStart`, thread-local variables by offset up to `labelStart`, labels.
  public internal(set) var items: [Item] = []
  public internal(set) var references: [ItemReference] = []
  public private(set) var threadStart = 0
  public private(set) var labelStart = 0
  /// By index of `binary.code.functions`; -1: an entry of the PLT.
  private var itemOfFunction: [Int32] = []

  public init(_ binary: Binary, _ options: ItemOptions = ItemOptions()) {
    self.binary = binary
    self.options = options
    makeItems()
    collectReferences()
    hashItems()
  }

  private func makeItems() {
    let names = ItemNames(binary)
    addFunctions(names)
    let boundaries = ItemBoundaries(binary)
    for index in binary.regions.regions.indices {
      switch binary.regions.regions[index].kind {
      case .readOnly where !BindingProof.isTable(binary.regions.regions[index].name):
        partition(index, .constant, names, boundaries)
      case .relro where !ItemTable.isLoaderTable(binary.regions.regions[index].name):
        partition(index, .relocatedConstant, names, boundaries)
      case .state: partition(index, .variable, names, boundaries)
      default: break
      }
    }
    for range in binary.map.undecoded {
      guard let region = binary.regions.index(containing: range.start) else { continue }
      split(range, region, .codeData, boundaries)
    }
    items.sort { $0.range.start < $1.range.start }
    threadStart = items.count
    addThreadVariables(names, boundaries)
    labelStart = items.count
    itemOfFunction = [Int32](repeating: -1, count: binary.code.functions.count)
    for index in 0..<threadStart where items[index].function >= 0 {
      itemOfFunction[Int(items[index].function)] = Int32(truncatingIfNeeded: index)
    }
    if options.keepsEmpty { addLabels() }
  }

  /// What the dynamic loader reads has no meaning of its own for the code.
  private static func isLoaderTable(_ name: Bytes) -> Bool { name == Bytes(".dynamic") || isUnwind(name) }
  private static func isUnwind(_ name: Bytes) -> Bool {
    name == Bytes(".eh_frame") || name.hasPrefix(".gcc_except_table") || name == Bytes(".relro_padding")
  }

  private func addFunctions(_ names: ItemNames) {
    for index in binary.code.functions.indices where !binary.code.functions[index].isLinkage {
      let range = binary.code.functions[index].range
      let name = names.function(at: range.start)
      append(.function, range, name, binary.regions.index(containing: range.start) ?? -1, function: index)
    }
  }

  private func append(
    _ kind: Item.Kind, _ range: AddressRange, _ name: ItemNames.Name?, _ region: Int, function: Int = -1,
    isKnown: Bool = true
  ) {
    items.append(
      Item(
        kind: kind, range: range, name: name?.text ?? .empty, isExport: name?.isExport ?? false, isKnown: isKnown,
        function: Int32(truncatingIfNeeded: function), region: Int32(truncatingIfNeeded: region)))
  }

  /// Named objects where they are, and what lies between them.
  private func partition(_ index: Int, _ kind: Item.Kind, _ names: ItemNames, _ boundaries: ItemBoundaries) {
    let range = binary.regions.regions[index].range
    var position = range.start
    for object in names.objects(in: range) where object.range.start >= position {
      split(AddressRange(start: position, end: object.range.start), index, kind, boundaries)
      let end = min(object.range.end, range.end)
      append(kind, AddressRange(start: object.range.start, end: end), object.name, index)
      position = end
    }
    split(AddressRange(start: position, end: range.end), index, kind, boundaries)
  }

  /// What has no name, at each address that something refers to.
  private func split(_ range: AddressRange, _ region: Int, _ kind: Item.Kind, _ boundaries: ItemBoundaries) {
    guard !range.isEmpty else { return }
    var start = range.start
    var isKnown = false
    boundaries.forEach(in: range) { (address) in
      if address == range.start { isKnown = true }
      guard address > start, !isInsideText(address, from: start) else { return }
      append(kind, AddressRange(start: start, end: address), nil, region, isKnown: isKnown)
      start = address
      isKnown = true
    }
    append(kind, AddressRange(start: start, end: range.end), nil, region, isKnown: isKnown)
  }

  /// Linkers let the tail of one string serve as another: that is no item of its own.
  private func isInsideText(_ address: UInt64, from start: UInt64) -> Bool {
    guard let bytes = binary.file.image.bytes(at: address &- 1, count: 2), bytes.count == 2 else { return false }
    let (before, after) = (bytes[0], bytes[1])
    guard before >= 0x20 && before < 0x7f, after >= 0x20 && after < 0x7f || after == 0 else { return false }
    return address &- start >= 2 || after != 0
  }

  private func addThreadVariables(_ names: ItemNames, _ boundaries: ItemBoundaries) {
    guard let block = binary.file.segments.tls, block.memorySize != 0 else { return }
    var position: UInt64 = 0
    for object in names.threadObjects where object.range.start >= position && object.range.start < block.memorySize {
      splitThread(AddressRange(start: position, end: object.range.start), boundaries.threadOffsets)
      position = min(object.range.end, block.memorySize)
      append(.threadVariable, AddressRange(start: object.range.start, end: position), object.name, -1)
    }
    splitThread(AddressRange(start: position, end: block.memorySize), boundaries.threadOffsets)
  }

  private func splitThread(_ range: AddressRange, _ starts: [UInt64]) {
    guard !range.isEmpty else { return }
    var start = range.start
    var isKnown = false
    for offset in starts where offset >= start && offset < range.end {
      if offset > start {
        append(.threadVariable, AddressRange(start: start, end: offset), nil, -1, isKnown: isKnown)
      }
      start = offset
      isKnown = true
    }
    append(.threadVariable, AddressRange(start: start, end: range.end), nil, -1, isKnown: isKnown)
  }

  private func addLabels() {
    for named in binary.symbols.named where named.size == 0 {
      if let index = index(containing: named.start), items[index].range.start == named.start { continue }
      append(
        .label, AddressRange(start: named.start, end: named.start),
        ItemNames.Name(text: named.name, isExport: !named.isLocal),
        binary.regions.index(containing: named.start) ?? -1)
    }
  }

  // MARK: - Finding

  /// The item of code or data that holds `address`.
  public func index(containing address: UInt64) -> Int? { find(address, 0, threadStart) }

  /// The same where it begins there.
  func index(startingAt address: UInt64) -> Int? {
    guard let index = index(containing: address), items[index].range.start == address else { return nil }
    return index
  }

  /// The thread-local variable that holds `offset`.
  public func threadIndex(containing offset: UInt64) -> Int? { find(offset, threadStart, labelStart) }

  public func index(ofFunction function: Int) -> Int? {
    guard function >= 0, function < itemOfFunction.count, itemOfFunction[function] >= 0 else { return nil }
    return Int(itemOfFunction[function])
  }

  private func find(_ address: UInt64, _ first: Int, _ last: Int) -> Int? {
    var low = first
    var high = last
    while low < high {
      let middle = (low &+ high) / 2
      if items[middle].range.end <= address { low = middle &+ 1 } else { high = middle }
    }
    guard low < last, items[low].range.contains(address) else { return nil }
    return low
  }

  /// How a user reads it: its name, else section and offset.
  public func place(_ index: Int) -> Place {
    let item = items[index]
    if item.name.count != 0 { return Place(name: item.name, offset: 0, address: item.range.start) }
    if item.kind == .threadVariable { return Place(name: Bytes("TLS"), offset: item.range.start, address: 0) }
    guard item.region >= 0 else { return Place(name: .empty, offset: 0, address: item.range.start) }
    let region = binary.regions.regions[Int(item.region)]
    return Place(name: region.name, offset: item.range.start &- region.range.start, address: item.range.start)
  }

  /// The bytes of the file behind an item; fewer than its size where it ends in zeroed memory.
  public func bytes(of item: Item) -> Bytes {
    if item.kind == .threadVariable {
      guard let block = binary.file.segments.tls, item.range.start < block.fileSize else { return .empty }
      let count = min(item.range.end, block.fileSize) &- item.range.start
      return binary.file.image.bytes(at: block.address &+ item.range.start, count: count) ?? .empty
    }
    if item.region >= 0, binary.regions.regions[Int(item.region)].isNoBits { return .empty }
    return binary.file.image.bytes(at: item.range.start, count: item.range.count) ?? .empty
  }
}
