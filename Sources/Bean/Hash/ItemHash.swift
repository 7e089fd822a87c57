/// The two hashes of each item. They tell files apart, and are no proof against someone who wants them to be equal:
/// comparisons look at the bytes.
extension ItemTable {
  func hashItems() {
    for index in items.indices { items[index].internalHash = internalHash(index) }
    for index in items.indices { items[index].externalHash = externalHash(index) }
  }

  private func internalHash(_ index: Int) -> UInt64 {
    let item = items[index]
    let content = content(of: item)
    var hash = CodeHash()
    hash.combine(UInt64(item.kind.hashClass))
    var hashed = 0
    for reference in references[item.first..<item.end] {
      var position = Int(truncatingIfNeeded: reference.field &- item.range.start)
      guard position >= hashed, position &+ Int(reference.size) <= max(content.count, hashed) else { continue }
      var next = position &+ Int(reference.size)
      var token = UInt64(reference.size)
      if options.rebuilds, let form = LinkedForm(content, position, reference), form.start >= hashed {
        (position, next, token) = (form.start, form.end, form.token)
      }
      hash.combine(content, from: hashed, to: position)
      hash.combine(token)
      hashed = next
    }
    hash.combine(content, from: hashed, to: content.count)
    // Behind a constant lies padding; a variable's size matters, since the program writes there.
    hash.combine(item.kind.isVariable ? item.range.count : UInt64(content.count))
    return hash.value
  }

  /// The bytes that count: zeros behind the content of data are padding, or memory that is zeroed anyway.
  public func content(of item: Item) -> Bytes {
    let bytes = bytes(of: item)
    if item.kind == .function { return bytes }
    var count = bytes.count
    while count > 0, bytes[count &- 1] == 0 { count &-= 1 }
    // Words that are relocated may be zero in the file.
    if item.end > item.first {
      let last = references[item.end &- 1]
      count = max(count, Int(truncatingIfNeeded: last.field &- item.range.start) &+ Int(last.size))
    }
    return bytes.slice(at: 0, count: UInt64(min(max(count, 0), bytes.count))) ?? bytes
  }

  private func externalHash(_ index: Int) -> UInt64 {
    let item = items[index]
    var hash = CodeHash()
    for reference in references[item.first..<item.end] {
      hash.combine(UInt64(reference.kind.hashClass))
      hash.combine(identity(of: reference.target))
      if isPlaceStable(reference.target) { hash.combine(reference.target.offset) }
    }
    return hash.value
  }

  /// Does the offset of a target say anything, when all lies elsewhere?
  func isPlaceStable(_ target: ItemTarget) -> Bool {
    switch target.kind {
    case .item, .symbol: return true
    case .region: return binary.regions.regions[Int(target.index)].kind != .code
    case .module, .nowhere: return false
    }
  }

  /// Names are identities; what has none is known by what it is.
  func identity(of target: ItemTarget) -> UInt64 {
    switch target.kind {
    case .item:
      let item = items[Int(target.index)]
      return item.name.count != 0 ? FNV1a.hash(item.name) : item.internalHash
    case .symbol: return binary.symbols.entries[Int(target.index)].hash
    case .region: return FNV1a.hash(binary.regions.regions[Int(target.index)].name)
    case .module: return 1
    case .nowhere: return 2
    }
  }
}

extension Item.Kind {
  /// RELRO or not is the linker's choice.
  var hashClass: UInt8 { self == .relocatedConstant ? Item.Kind.constant.rawValue : rawValue }
}

extension ItemReference.Kind {
  /// Whether a slot is read or an address taken is told by the opcode.
  var hashClass: UInt8 { self == .address ? ItemReference.Kind.memory.rawValue : rawValue }
}

/// An instruction that a linker may have changed from an access to the GOT (psABI x86-64, "Optimize GOTPCRELX
/// Relocations"): both forms as one.
struct LinkedForm {
  let start: Int
  let end: Int
  let token: UInt64

  init?(_ code: Bytes, _ field: Int, _ reference: ItemReference) {
    guard reference.size == 4, field >= 2 else { return nil }
    let (opcode, modRM) = (code[field &- 2], code[field &- 1])
    switch reference.kind {
    case .memory where !reference.isIndirect: return nil
    case .memory where opcode == 0xff && modRM == 0x15: (start, end, token) = (field &- 2, field &+ 4, 0x100)
    case .memory where opcode == 0xff && modRM == 0x25: (start, end, token) = (field &- 2, field &+ 4, 0x101)
    case .memory where opcode == 0x8b, .address where opcode == 0x8d:
      (start, end, token) = (field &- 2, field &+ 4, 0x200 | UInt64(modRM))
    case .call where opcode == 0x67: (start, end, token) = (field &- 2, field &+ 4, 0x100)
    case .jump where modRM == 0xe9 && code[field &+ 4] == 0x90:
      (start, end, token) = (field &- 1, field &+ 5, 0x101)
    default: return nil
    }
  }
}
