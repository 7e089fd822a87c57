import CKernel

/// No constructor runs again: each init function of the new version must be one that the old version ran already,
/// unchanged, at the same position.
extension Comparison {
  private enum Initializer {
    case none
    case function(UInt64)
    case symbol(RelocationIndex.Entry)
  }

  func compareConstructors() {
    if let function = new.file.dynamic?.initFunction, function != 0 {
      compareInit(old.file.dynamic?.initFunction ?? 0, function)
    }
    let (before, after) = (Comparison.initArray(old), Comparison.initArray(new))
    for index in after.indices {
      let previous = index < before.count ? before[index] : .none
      switch (previous, after[index]) {
      case (_, .none): break
      case (.function(let a), .function(let b)): compareInit(a, b)
      case (.symbol(let a), .symbol(let b)):
        if !isSameSymbol(a, b) { refuseInit(nil, new.symbols.symbol(of: b)?.symbol.value ?? 0) }
      case (_, .function(let b)): if !new.isFrameDummy(b) { refuseInit(nil, b) }
      case (_, .symbol(let b)): refuseInit(nil, new.symbols.symbol(of: b)?.symbol.value ?? 0)
      }
    }
  }

  private func compareInit(_ a: UInt64, _ b: UInt64) {
    guard let oldIndex = old.code.index(startingAt: a), let newIndex = new.code.index(startingAt: b),
      matches.oldOfNew[newIndex] == Int32(truncatingIfNeeded: oldIndex), matches.isEqual[newIndex]
    else {
      if !new.isFrameDummy(b) { refuseInit(a, b) }
      return
    }
  }

  private func refuseInit(_ a: UInt64?, _ b: UInt64) {
    let before = a ?? 0
    refuse(
      Refusal(
        .constructorChanged, function: new.place(at: b), old: before == 0 ? nil : old.place(at: before),
        new: new.place(at: b)))
  }

  /// DT_INIT_ARRAY: addresses that are relocated, or symbols of other objects.
  private static func initArray(_ binary: Binary) -> [Initializer] {
    guard let table = binary.file.dynamic?.initArray, table.isPresent else { return [] }
    var found: [Initializer] = []
    var offset: UInt64 = 0
    while offset < table.size, let word = binary.file.image.load(UInt64.self, at: table.address &+ offset) {
      found.append(initializer(binary, at: table.address &+ offset, word))
      offset += 8
    }
    return found
  }

  private static func initializer(_ binary: Binary, at address: UInt64, _ word: UInt64) -> Initializer {
    guard let entry = binary.relocations.entry(at: address) else {
      // 0 and -1 were end marks of older toolchains.
      return word == 0 || word == UInt64.max ? .none : .function(word)
    }
    if let symbol = binary.symbols.symbol(of: entry) {
      return symbol.symbol.isUndefined
        ? .symbol(entry) : .function(symbol.symbol.value &+ UInt64(bitPattern: entry.addend))
    }
    return .function(UInt64(bitPattern: entry.addend))
  }
}

extension Binary {
  /// Is it the init function that GCC's crtbeginS.o brings into every object (frame_dummy: [ENDBR64,] JMP to
  /// register_tm_clones), with an empty table of transactional clones, so that it does nothing? It differs with the
  /// compiler's version and options.
  func isFrameDummy(_ address: UInt64) -> Bool {
    var place = address
    if file.image.load(UInt32.self, at: place) == 0xfa1e_0ff3 { place = place &+ 4 }
    guard file.image.load(UInt8.self, at: place) == 0xe9, let distance = file.image.load(Int32.self, at: place &+ 1)
    else { return false }
    return isEmptyRegistration(place &+ 5 &+ UInt64(bitPattern: Int64(distance)))
  }

  /// Is it register_tm_clones or deregister_tm_clones of crtbeginS.o, for an empty table: LEA RDI, [table]; LEA RAX
  /// (or RSI), [its end], of the same address? That address is only compared with itself.
  func registersNoClones(_ function: CodeTable.Function) -> Bool {
    guard function.end &- function.first >= 2, function.range.count <= 64,
      let bytes = file.image.bytes(at: function.range.start, count: function.range.count),
      bytes.hasBytes([0x48, 0x8d, 0x3d], at: 0),
      // CMP RAX, RDI; or SUB RSI, RDI.
      bytes.hasBytes([0x48, 0x8d, 0x05], at: 7) && bytes.hasBytes([0x48, 0x39, 0xf8], at: 14)
        || bytes.hasBytes([0x48, 0x8d, 0x35], at: 7) && bytes.hasBytes([0x48, 0x29, 0xfe], at: 14)
    else { return false }
    let (table, end) = (code.references[function.first], code.references[function.first &+ 1])
    guard table.kind == .address, end.kind == .address, table.target == end.target else { return false }
    // Nothing else of state is used.
    for reference in code.references[(function.first &+ 2)..<function.end] where isStateReference(reference.target) {
      return false
    }
    return true
  }

  /// LEA RDI, [table]; LEA RSI, [its end]; then (RSI - RDI) / 8 / 2, and a return if that is 0.
  private func isEmptyRegistration(_ address: UInt64) -> Bool {
    guard let bytes = file.image.bytes(at: address, count: 64), bytes.hasBytes([0x48, 0x8d, 0x3d], at: 0),
      bytes.hasBytes([0x48, 0x8d, 0x35], at: 7),
      let table = bytes.load(Int32.self, at: 3), let end = bytes.load(Int32.self, at: 10),
      // Of the same address, since the second counts from 7 bytes further on.
      Int64(table) == Int64(end) + 7,
      bytes.hasBytes(
        [
          0x48, 0x29, 0xfe, 0x48, 0x89, 0xf0, 0x48, 0xc1, 0xee, 0x3f, 0x48, 0xc1, 0xf8, 0x03, 0x48, 0x01, 0xc6,
          0x48, 0xd1, 0xfe, 0x74,
        ], at: 14),
      let skip = bytes.load(Int8.self, at: 35), skip >= 0
    else { return false }
    return file.image.load(UInt8.self, at: address &+ 36 &+ UInt64(skip)) == 0xc3
  }
}

extension Bytes {
  fileprivate func hasBytes(_ wanted: [UInt8], at offset: Int) -> Bool {
    for index in wanted.indices where load(UInt8.self, at: offset + index) != wanted[index] { return false }
    return true
  }
}
