import CKernel

/// What each item refers to.
extension ItemTable {
  func collectReferences() {
    let tables = JumpTables(self)
    for index in items.indices {
      items[index].first = references.count
      switch items[index].kind {
      case .function: addCode(Int(items[index].function))
      case .label: break
      case .threadVariable: addThreadWords(index)
      default:
        addTable(index, tables)
        addWords(items[index].range, shift: 0)
      }
      items[index].end = references.count
    }
  }

  private func addCode(_ function: Int) {
    let entry = binary.code.functions[function]
    let isCloneTable = isCloneTableUser(entry)
    for reference in binary.code.references[entry.first..<entry.end] {
      let kind: ItemReference.Kind
      switch reference.kind {
      case .memory: kind = .memory
      case .address: kind = .address
      case .branch:
        // CALL rel32 has no other form.
        let opcode = binary.file.image.load(UInt8.self, at: reference.field &- 1) ?? 0
        kind = reference.size == 4 && opcode == 0xe8 ? .call : .jump
      }
      var (target, isIndirect) = target(of: reference.target)
      if isCloneTable, kind == .address { target = ItemTarget(.nowhere, 0, reference.target) }
      references.append(
        ItemReference(
          field: reference.field, size: reference.size, kind: kind, isIndirect: isIndirect, target: target))
    }
  }

  /// gcc's crtstuff.c takes the address of __TMC_END__, the end of a section that is empty but in programs with
  /// transactional memory: what lies there is none of its business.
  private func isCloneTableUser(_ function: CodeTable.Function) -> Bool {
    guard function.end &- function.first == 3, function.source != .plt else { return false }
    let found = binary.code.references[function.first..<function.end]
    guard found.filter({ $0.kind == .address }).count == 2, let slot = found.first(where: { $0.kind == .memory }),
      let entry = binary.relocations.entry(at: slot.target), let symbol = binary.symbols.symbol(of: entry)
    else { return false }
    return symbol.name.hasPrefix("_ITM_") && symbol.name.hasSuffix("registerTMCloneTable")
  }

  private func addWords(_ range: AddressRange, shift: UInt64) {
    var index = binary.relocations.lowerBound(range.start)
    while index < binary.relocations.entries.count, binary.relocations.entries[index].address < range.end {
      let entry = binary.relocations.entries[index]
      references.append(
        ItemReference(
          field: entry.address &- shift, size: 8, kind: .pointer, isIndirect: false, target: target(of: entry)))
      index &+= 1
    }
  }

  private func addThreadWords(_ index: Int) {
    guard let block = binary.file.segments.tls, items[index].range.start < block.fileSize else { return }
    let range = items[index].range
    addWords(
      AddressRange(
        start: block.address &+ range.start, end: block.address &+ min(range.end, block.fileSize)),
      shift: block.address)
  }

  private func addTable(_ index: Int, _ tables: JumpTables) {
    let base = items[index].range.start
    for word in 0..<tables.wordCount(of: index) {
      let field = base &+ UInt64(word) &* 4
      guard let distance = binary.file.image.load(Int32.self, at: field) else { return }
      let address = base &+ UInt64(bitPattern: Int64(distance))
      references.append(
        ItemReference(field: field, size: 4, kind: .tableWord, isIndirect: false, target: target(of: address).0))
    }
  }

  // MARK: - Targets

  /// What an address leads to, and whether through a slot.
  public func target(of address: UInt64) -> (ItemTarget, Bool) {
    guard let region = binary.regions.index(containing: address) else {
      return (ItemTarget(.nowhere, 0, address), false)
    }
    let kind = binary.regions.regions[region].kind
    if kind == .got, let entry = binary.relocations.entry(at: address) { return (target(of: entry), true) }
    if kind == .code, let function = binary.code.index(containing: address),
      binary.code.functions[function].isLinkage, let target = linkageTarget(function)
    {
      return (target, true)
    }
    if let index = index(containing: address) {
      return (ItemTarget(.item, index, address &- items[index].range.start), false)
    }
    return (ItemTarget(.region, region, address &- binary.regions.regions[region].range.start), false)
  }

  /// An entry of the PLT is what its slot is for.
  private func linkageTarget(_ function: Int) -> ItemTarget? {
    let entry = binary.code.functions[function]
    for reference in binary.code.references[entry.first..<entry.end] where reference.kind == .memory {
      if let slot = binary.relocations.entry(at: reference.target) { return target(of: slot) }
    }
    return nil
  }

  func target(of entry: RelocationIndex.Entry) -> ItemTarget {
    let resolves = options.resolves || options.rebuilds
    if let symbol = binary.symbols.symbol(of: entry) {
      guard resolves, !symbol.symbol.isUndefined else {
        return ItemTarget(.symbol, Int(entry.symbol), UInt64(bitPattern: entry.addend))
      }
      if symbol.symbol.isTLS { return thread(symbol.symbol.value &+ UInt64(bitPattern: entry.addend)) }
      return item(symbol.symbol.value &+ UInt64(bitPattern: entry.addend))
    }
    if entry.type == UInt32(R_X86_64_DTPMOD64) { return ItemTarget(.module) }
    if let offset = binary.threadOffset(of: entry) { return thread(offset) }
    return item(UInt64(bitPattern: entry.addend))
  }

  private func thread(_ offset: UInt64) -> ItemTarget {
    guard let index = threadIndex(containing: offset) else { return ItemTarget(.nowhere, 0, offset) }
    return ItemTarget(.item, index, offset &- items[index].range.start)
  }

  private func item(_ address: UInt64) -> ItemTarget {
    if let index = index(containing: address) {
      return ItemTarget(.item, index, address &- items[index].range.start)
    }
    guard let region = binary.regions.index(containing: address) else { return ItemTarget(.nowhere, 0, address) }
    return ItemTarget(.region, region, address &- binary.regions.regions[region].range.start)
  }
}

extension Binary {
  /// Where in this object's thread-local block a relocation leads to; nil: it is of another kind.
  func threadOffset(of entry: RelocationIndex.Entry) -> UInt64? {
    switch Int32(bitPattern: entry.type) {
    case Int32(R_X86_64_TPOFF64), Int32(R_X86_64_DTPOFF64), Int32(R_X86_64_TLSDESC): break
    default: return nil
    }
    guard let symbol = symbols.symbol(of: entry) else { return UInt64(bitPattern: entry.addend) }
    guard !symbol.symbol.isUndefined, symbol.symbol.isTLS else { return nil }
    return symbol.symbol.value &+ UInt64(bitPattern: entry.addend)
  }
}

/// Tables of 32-bit distances to the cases of a switch, counted from the table: as position-dependent as code is, but
/// without relocations.
struct JumpTables {
  /// By index of the item; 0: none.
  private var counts: [Int32]

  init(_ table: ItemTable) {
    counts = [Int32](repeating: 0, count: table.items.count)
    let code = table.binary.code
    for function in code.functions where function.mayReadRelativeTable {
      for reference in code.references[function.first..<function.end] where reference.kind == .address {
        guard let index = table.index(containing: reference.target), counts[index] == 0,
          table.items[index].kind == .constant, table.items[index].range.start == reference.target
        else { continue }
        counts[index] = JumpTables.count(table, index, function)
      }
    }
  }

  func wordCount(of index: Int) -> Int { Int(counts[index]) }

  /// Words from the start of the item that lead into the function, or to a function beside it (its cold part).
  private static func count(_ table: ItemTable, _ index: Int, _ function: CodeTable.Function) -> Int32 {
    let bytes = table.bytes(of: table.items[index])
    let base = table.items[index].range.start
    var count: Int32 = 0
    while let distance = bytes.load(Int32.self, at: Int(count) &* 4) {
      let target = base &+ UInt64(bitPattern: Int64(distance))
      if !function.range.contains(target) {
        guard distance < 0, table.binary.regions.kind(of: target) == .code, count > 0 || bytes.count >= 12,
          table.binary.code.index(containing: target) != nil
        else { break }
      }
      count &+= 1
    }
    return count > 1 ? count : 0
  }
}
