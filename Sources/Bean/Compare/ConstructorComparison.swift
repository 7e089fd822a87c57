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
      case (_, .function(let b)): refuseInit(nil, b)
      case (_, .symbol(let b)): refuseInit(nil, new.symbols.symbol(of: b)?.symbol.value ?? 0)
      }
    }
  }

  private func compareInit(_ a: UInt64, _ b: UInt64) {
    guard let oldIndex = old.code.index(startingAt: a), let newIndex = new.code.index(startingAt: b),
      matches.oldOfNew[newIndex] == Int32(truncatingIfNeeded: oldIndex), matches.isEqual[newIndex]
    else { return refuseInit(a, b) }
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
