import CKernel

/// dlsym(3), dlvsym(3): by handle, in the global scope, or behind the caller.
extension Program {
  static var defaultHandle: UInt64 { 0 }
  static var nextHandle: UInt64 { UInt64.max }

  public func symbol(_ handle: UInt64, _ name: Bytes, version: Bytes?, caller: UInt64) -> UInt64 {
    lock.lock()
    defer { lock.unlock() }
    let wanted = SymbolName(name)
    let wantedVersion = version.map { SymbolVersion(named: $0) }
    let found: Definition?
    if handle == Program.defaultHandle {
      found = findDefault(wanted, wantedVersion, caller: caller)
    } else if handle == Program.nextHandle {
      found = findNext(wanted, wantedVersion, caller: caller)
    } else if let object = object(forHandle: handle) {
      found =
        object === executable ? scope.find(wanted, version: wantedVersion) : findIn(object, wanted, wantedVersion)
    } else {
      return hostSymbol(handle, name, version)
    }
    guard var found else {
      if name == Bytes(Program.updatePointName), version == nil {
        let address = handOutUpdatePoint()
        if address != 0 { return address }
      }
      setUndefined(name, version, handle: handle, caller: caller)
      return 0
    }
    if found.symbol.isUnique { found = uniqueDefinition(found, name) }
    // What was found without a handle must stay as long as who asked for it.
    if handle == Program.defaultHandle || handle == Program.nextHandle, found.object.isOpened {
      registry.object(containing: caller)?.noteBinding(to: found.object)
    }
    return address(of: found, name, version, wantedVersion)
  }

  private func findDefault(_ name: SymbolName, _ version: SymbolVersion?, caller: UInt64) -> Definition? {
    if let found = scope.find(name, version: version) { return found }
    return registry.object(containing: caller)?.localScope?.find(name, version: version)
  }

  private func findNext(_ name: SymbolName, _ version: SymbolVersion?, caller: UInt64) -> Definition? {
    guard let object = registry.object(containing: caller) else { return scope.find(name, version: version) }
    let current = currentVersion(of: object)
    if let local = current.localScope, !scope.contains(current) {
      return local.find(name, version: version, after: current)
    }
    return scope.find(name, version: version, after: current)
  }

  /// The object itself, then what it needs, breadth-first (dlsym(3)).
  private func findIn(_ object: LoadedObject, _ name: SymbolName, _ version: SymbolVersion?) -> Definition? {
    for candidate in breadthFirst(from: object) {
      if let found = candidate.definition(of: name, version: version) {
        return Definition(object: candidate, index: found.index, symbol: found.symbol)
      }
    }
    // Host objects that it needs are not among its dependencies here: all of them are in the global scope.
    for candidate in hostObjects {
      if let found = candidate.definition(of: name, version: version) {
        return Definition(object: candidate, index: found.index, symbol: found.symbol)
      }
    }
    return nil
  }

  func breadthFirst(from object: LoadedObject) -> [LoadedObject] {
    var result = [object]
    var index = 0
    while index < result.count {
      for dependency in result[index].dependencies where !result.contains(where: { $0 === dependency }) {
        result.append(dependency)
      }
      index += 1
    }
    return result
  }

  /// What a handle of Luci's stands for: its link_map.
  func object(forHandle handle: UInt64) -> LoadedObject? {
    for object in registry.objects where object.linkMap == handle && handle != 0 { return currentVersion(of: object) }
    return nil
  }

  private func hostSymbol(_ handle: UInt64, _ name: Bytes, _ version: Bytes?) -> UInt64 {
    if let own = interposer(for: name) { return own }
    let function = version == nil ? host.dlsym : host.dlvsym
    guard function != 0 else { return 0 }
    let result = ForeignCall.word(function, handle, name.memoryAddress, version?.memoryAddress ?? 0)
    if result == 0 { setHostError() }
    return result
  }

  private func address(
    of found: Definition, _ name: Bytes, _ version: Bytes?, _ wanted: SymbolVersion?
  ) -> UInt64 {
    if found.object.role == .host {
      if let own = interposer(for: name) { return own }
      // The host knows its ifuncs and thread-local variables best.
      if found.symbol.isIFunc || found.symbol.isTLS { return hostSymbol(Program.defaultHandle, name, version) }
      return found.address
    }
    if found.symbol.isTLS { return tlsAddress(of: found.object, offset: found.symbol.value) }
    entryStubs.noteHandedOut(name)
    if found.symbol.isIFunc { return ForeignCall.word(found.address) }
    return found.symbol.isFunction ? entryAddress(of: found, name: name, version: wanted) : found.address
  }

  private func setUndefined(_ name: Bytes, _ version: Bytes?, handle: UInt64, caller: UInt64) {
    let object = object(forHandle: handle) ?? registry.object(containing: caller) ?? executable
    var text = Text()
    if object === executable { self.name.write(to: &text) } else { object.path.write(to: &text) }
    text.append(": undefined symbol: ")
    text.append(name)
    if let version {
      text.append(", version ")
      text.append(version)
    }
    setError(text)
  }
}
