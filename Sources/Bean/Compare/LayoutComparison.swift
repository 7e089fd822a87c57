/// State sections: the same names, the same sizes, no stricter alignment than the home has.
extension Comparison {
  func compareLayout() {
    let (oldAreas, newAreas) = (old.state.areas, new.state.areas)
    if old.state.isEmpty {
      newOwnsState = !newAreas.isEmpty
      return
    }
    var pieces: [StateMapping.Piece] = []
    var taken = [Bool](repeating: false, count: oldAreas.count)
    for area in newAreas {
      guard let index = oldAreas.indices.first(where: { !taken[$0] && oldAreas[$0].name == area.name }) else {
        refuseSize(.stateSize, nil, area)
        continue
      }
      taken[index] = true
      let home = oldAreas[index]
      // Alignments are powers of two; a hostile one only makes the comparison fail.
      guard home.range.count == area.range.count, home.range.start % max(area.alignment, 1) == 0 else {
        refuseSize(.stateSize, home, area)
        continue
      }
      pieces.append(
        StateMapping.Piece(new: area.range, old: home.range.start, name: area.name, tail: area.range.start))
    }
    for index in oldAreas.indices where !taken[index] { refuseSize(.stateSize, oldAreas[index], nil) }
    mapping = StateMapping(pieces: pieces)
  }

  private func refuseSize(_ kind: Refusal.Kind, _ home: StateLayout.Area?, _ area: StateLayout.Area?) {
    refuse(
      Refusal(
        kind, old: home.map { Place(name: $0.name, offset: 0, address: $0.range.start) },
        new: area.map { Place(name: $0.name, offset: 0, address: $0.range.start) },
        oldValue: home?.range.count ?? 0, newValue: area?.range.count ?? 0))
  }

  /// Exported data in state, and variables that both versions name in .symtab, lie at the same place.
  func compareVariables() {
    for entry in new.symbols.entries where entry.isExport && !entry.symbol.isTLS && !entry.symbol.isFunction {
      guard new.regions.kind(of: entry.symbol.value) == .state,
        let other = old.symbols.export(entry.name, entry.version, hash: entry.hash),
        old.regions.kind(of: other.symbol.value) == .state
      else { continue }
      compareVariable(
        entry.name, (other.symbol.value, other.symbol.size), (entry.symbol.value, entry.symbol.size))
    }
    compareNewVariables()
    let (left, right) = (Comparison.localVariables(old), Comparison.localVariables(new))
    FunctionMatcher.forEachUniquePair(left, right) {
      let (a, b) = (old.symbols.named[$0], new.symbols.named[$1])
      compareVariable(b.name, (a.start, a.size), (b.start, b.size))
    }
  }

  /// An export that the old version does not have must not take the place of one that the new version does not have.
  private func compareNewVariables() {
    let (left, right) = (Comparison.exportedVariables(old), Comparison.exportedVariables(new))
    let names = (Set(left.map { $0.key }), Set(right.map { $0.key }))
    var gone: [UInt64: Int] = [:]
    for variable in left where !names.1.contains(variable.key) {
      gone[old.symbols.entries[variable.index].symbol.value] = variable.index
    }
    // Another name for the same address is still there.
    for variable in left where names.1.contains(variable.key) {
      gone[old.symbols.entries[variable.index].symbol.value] = nil
    }
    if gone.isEmpty { return }
    for variable in right where !names.0.contains(variable.key) {
      let entry = new.symbols.entries[variable.index]
      guard let home = mapping.old(for: entry.symbol.value), let index = gone[home] else { continue }
      let before = old.symbols.entries[index]
      refuse(
        Refusal(
          .variableMoved, old: Place(name: before.name, offset: 0, address: home),
          new: Place(name: entry.name, offset: 0, address: entry.symbol.value), oldValue: before.symbol.size,
          newValue: entry.symbol.size))
    }
  }

  /// Exported variables by name, without regard to symbol versions: indices in `SymbolIndex.entries`.
  static func exportedVariables(_ binary: Binary) -> [Keyed] {
    var found: [Keyed] = []
    for index in binary.symbols.entries.indices {
      let entry = binary.symbols.entries[index]
      guard entry.isExport, entry.symbol.isObject, !entry.symbol.isTLS,
        binary.regions.kind(of: entry.symbol.value) == .state
      else { continue }
      found.append(Keyed(key: FNV1a.hash(entry.name), index: index))
    }
    return found.sorted(by: Keyed.isBefore)
  }

  static func localVariables(_ binary: Binary) -> [Keyed] {
    var found: [Keyed] = []
    for index in binary.symbols.named.indices {
      let name = binary.symbols.named[index]
      guard name.isLocal, !name.isFunction, binary.regions.kind(of: name.start) == .state else { continue }
      found.append(Keyed(key: FNV1a.hash(name.name), index: index))
    }
    return found.sorted(by: Keyed.isBefore)
  }

  private func compareVariable(_ name: Bytes, _ before: (UInt64, UInt64), _ after: (UInt64, UInt64)) {
    guard let home = mapping.old(for: after.0), home == before.0, before.1 == after.1 else {
      refuse(
        Refusal(
          .variableMoved, old: Place(name: name, offset: 0, address: before.0),
          new: Place(name: name, offset: 0, address: after.0), oldValue: before.1, newValue: after.1))
      return
    }
  }
}
