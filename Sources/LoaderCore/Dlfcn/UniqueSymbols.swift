/// STB_GNU_UNIQUE: one definition of a name for the whole process, whichever scopes the objects are in (C++ compilers
/// mark variables of inline functions and templates so). Only definitions in opened objects are kept here: in the
/// global scope that the program starts with, the first definition is the only one anyway.
struct UniqueSymbols {
  private var definitions: [Definition] = []
  private var byName: [UInt64: [Int]] = [:]

  /// The definition of `name` that everybody uses; `found` where it is the first.
  mutating func definition(_ name: Bytes, found: Definition, in scope: Scope) -> Definition {
    if !found.object.isOpened { return found }
    let hash = FNV1a.hash(name)
    for index in byName[hash] ?? [] {
      let known = definitions[index]
      if known.object.symbols.matches(known.symbol, name) { return known }
    }
    var first = found
    if let global = scope.find(SymbolName(name), version: nil), global.symbol.isUnique { first = global }
    // Whoever comes later is bound to it.
    first.object.isPinned = true
    byName[hash, default: []].append(definitions.count)
    definitions.append(first)
    return first
  }

  /// Objects that could not be loaded as a whole.
  mutating func remove(where isGone: (LoadedObject) -> Bool) {
    guard definitions.contains(where: { isGone($0.object) }) else { return }
    let remaining = definitions.filter { !isGone($0.object) }
    self = UniqueSymbols()
    for definition in remaining {
      guard let name = definition.object.symbols.name(of: definition.symbol) else { continue }
      byName[FNV1a.hash(name), default: []].append(definitions.count)
      definitions.append(definition)
    }
  }
}

extension Program {
  public func uniqueDefinition(_ found: Definition, _ name: Bytes) -> Definition {
    uniqueSymbols.definition(name, found: found, in: scope)
  }
}
