import CKernel

/// The long way from a relocation to what its symbol stands for.
extension Relocator {
  func symbol(_ relocation: Relocation) throws(LoadError) -> Symbol {
    guard let symbol = symbols[relocation.symbolIndex] else {
      throw LoadError(.malformed(ELFError(.symbolIndex, at: relocation.offset)), object.path)
    }
    return symbol
  }

  /// Finds what a relocation refers to. Successive relocations often name the same symbol: the last is kept.
  mutating func resolve(
    _ relocation: Relocation, excluding: Scope.Exclusion
  ) throws(LoadError) -> Resolution {
    let index = relocation.symbolIndex
    if index == 0 { return Resolution() }
    if index == lastSymbolIndex, excluding.isEmpty, let lastResult { return lastResult }
    let symbol = try self.symbol(relocation)
    let result = try lookUp(symbol, index: index, excluding: excluding)
    if excluding.isEmpty {
      lastSymbolIndex = index
      lastResult = result
    }
    return result
  }

  private mutating func lookUp(_ symbol: Symbol, index: Int, excluding: Scope.Exclusion) throws(LoadError)
    -> Resolution
  {
    if symbol.isLocal || (symbol.visibility != STV_DEFAULT && !symbol.isUndefined) {
      return resolution(Definition(object: object, index: index, symbol: symbol))
    }
    guard let name = symbols.hashedName(of: symbol) else {
      throw LoadError(.malformed(ELFError(.stringTable, at: symbol.nameOffset)), object.path)
    }
    let bytes = name.bytes
    let version = object.versions.version(of: index)
    let found = context.definition(of: name, version: version, from: object, excluding: excluding)
    if found == nil || found?.object.role == .host, let own = context.interposer(for: bytes) {
      return Resolution(address: own, size: 0, definition: nil, isIndirect: false)
    }
    guard let found else {
      if symbol.isWeak { return Resolution() }
      var error = LoadError(.symbolNotFound, object.path, subject: bytes)
      if let version { error.file = version.name.copy() }
      throw error
    }
    let chosen = found.symbol.isUnique ? context.uniqueDefinition(found, bytes) : found
    if chosen.object.isOpened { object.noteBinding(to: chosen.object) }
    return resolution(chosen)
  }

  private mutating func resolution(_ definition: Definition) -> Resolution {
    let symbol = definition.symbol
    if symbol.isIFunc, !symbol.isUndefined {
      if definition.object.role == .host {
        let chosen = context.resolveHostFunction(at: definition.address)
        if chosen == nil { lacksHostFunction = true }
        return Resolution(address: chosen ?? 0, size: symbol.size, definition: definition)
      }
      return Resolution(
        address: definition.address, size: symbol.size, definition: definition, isIndirect: true)
    }
    return Resolution(address: definition.address, size: symbol.size, definition: definition)
  }
}
