import CKernel

/// Questions of the updater about the program.
extension Program {
  /// Whether an object that a DT_NEEDED name stands for is in the process.
  func isLoaded(_ name: Bytes) -> Bool {
    if HostRules.isLoaderName(name) || graph.object(named: name) != nil { return true }
    return hostObjects.contains {
      $0.soname == name || $0.path.lastComponent.withBytes { $0 == name }
    }
  }

  /// Whether anything of the process is bound, or was handed an address, to this export of `shared`. Versions are
  /// compared by name; an unversioned reference counts for every version.
  func isUsed(_ name: Bytes, _ version: Bytes, of shared: SharedObject) -> Bool {
    let wanted = SymbolName(name)
    for object in registry.objects where object.identity !== shared {
      if refers(object, to: wanted, version) { return true }
    }
    for object in hostObjects where refers(object, to: wanted, version) { return true }
    return entryStubs.has(name, of: shared)
  }

  /// Does a symbol of `object` that is undefined there have that name and version? Undefined symbols are not in
  /// the hash table, so all symbols in front of it are looked at.
  private func refers(_ object: LoadedObject, to name: SymbolName, _ version: Bytes) -> Bool {
    let end = object.gnuHash.map { Int($0.firstSymbol) } ?? Int(object.sysvHash?.chainCount ?? 0)
    for index in 1..<max(1, min(end, object.symbols.limit)) {
      guard let symbol = object.symbols[index], symbol.isUndefined, object.symbols.matches(symbol, name.bytes) else {
        continue
      }
      guard let own = object.versions.version(of: index), version.count > 0 else { return true }
      if own.name == version { return true }
    }
    return false
  }
}
