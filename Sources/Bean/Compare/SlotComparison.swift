import CKernel

/// Relocated words by what they are for.
extension Comparison {
  /// The same symbol, version and addend; without symbol the same addend (an offset in thread-local storage).
  func isSameSymbol(_ a: RelocationIndex.Entry, _ b: RelocationIndex.Entry) -> Bool {
    guard a.type == b.type, a.addend == b.addend else { return false }
    guard let left = old.symbols.symbol(of: a), let right = new.symbols.symbol(of: b) else {
      return a.symbol == 0 && b.symbol == 0
    }
    return left.hash == right.hash && left.name == right.name && left.version == right.version
  }

  /// GOT slots that serve the same purpose, as far as state is concerned.
  func isSameSlot(old oldSlot: UInt64, new newSlot: UInt64) -> Bool {
    guard let a = old.relocations.entry(at: oldSlot), let b = new.relocations.entry(at: newSlot) else {
      return old.relocations.entry(at: oldSlot) == nil && new.relocations.entry(at: newSlot) == nil
    }
    guard a.type == b.type else { return false }
    if a.type == UInt32(R_X86_64_RELATIVE) {
      let (from, to) = (UInt64(bitPattern: a.addend), UInt64(bitPattern: b.addend))
      if old.regions.kind(of: from) == .state || new.regions.kind(of: to) == .state {
        // Relocation goes by what starts at an address, not by what ends there.
        return mapping.old(for: to) == from
      }
      return old.regions.kind(of: from).isLike(new.regions.kind(of: to))
    }
    if a.type == UInt32(R_X86_64_IRELATIVE) { return true }
    if a.type == UInt32(R_X86_64_DTPMOD64), a.symbol == 0, b.symbol == 0 {
      // The word behind it is the offset in the module, without a relocation.
      return old.file.image.load(UInt64.self, at: oldSlot &+ 8) == new.file.image.load(UInt64.self, at: newSlot &+ 8)
    }
    return isSameSymbol(a, b)
  }

  /// A word at the same place of state leads to a function in both versions, and neither function has a counterpart
  /// elsewhere: then they are each other's, changed.
  func pairByPlace(old oldAddress: UInt64, new newAddress: UInt64) -> Bool {
    guard let oldIndex = old.code.index(startingAt: oldAddress),
      let newIndex = new.code.index(startingAt: newAddress)
    else { return false }
    if matches.areFree(oldIndex, newIndex) {
      matches.pair(oldIndex, newIndex, isEqual: false)
      return true
    }
    // Among functions with the same code, a pointer at the same place says more than their order.
    guard matches.areLoose(oldIndex, newIndex), FunctionMatcher.isSameCode(old, oldIndex, new, newIndex) else {
      return false
    }
    matches.free(oldIndex, newIndex)
    matches.pair(oldIndex, newIndex, isEqual: true)
    return true
  }
}

extension RegionKind {
  /// Constants are constants, whether they need relocation or not.
  func isLike(_ other: RegionKind) -> Bool {
    self == other || (self == .readOnly && other == .relro) || (self == .relro && other == .readOnly)
  }
}
