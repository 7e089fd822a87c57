import CKernel

/// Functions of the program that take part in updates (include/luci.h, DESIGN section 4): `__luci_update`, which the
/// program calls, `__luci_serialize` and `__luci_deserialize`, which it defines.
extension Program {
  static var updatePointName: StaticString { "__luci_update" }

  /// Whether an object of the program uses `__luci_update`: then updates wait for its calls, and there is no helper.
  var usesUpdatePoint: Bool {
    guard isUpdatePointBound else { return false }
    if isUpdatePointHandedOut { return true }
    let name = Bytes(Program.updatePointName)
    return graph.objects.contains { $0.role != .host && $0.imports(name) }
  }

  /// dlsym(3) of a program that looks for the function by name: it is going to call it.
  func handOutUpdatePoint() -> UInt64 {
    guard let address = interposer(for: Bytes(Program.updatePointName)) else { return 0 }
    isUpdatePointHandedOut = true
    reconsiderHelper()
    return address
  }

  /// Whether an update has to call into the program.
  var hasHooks: Bool { graph.objects.contains { $0.hook("__luci_serialize") != nil } }

  /// Calls `__luci_serialize` of all objects, those that need others first.
  func serialize(_ pairs: [NewVersion]) -> [Serialized] {
    var states: [Serialized] = []
    for object in graph.objects {
      guard let function = object.hook("__luci_serialize") else { continue }
      let successor = pairs.first { $0.old === object }?.object
      let state = ForeignCall.word(function, successor == nil ? 0 : 1)
      states.append(Serialized(object: successor ?? object, state: state))
    }
    return states
  }

  /// Calls `__luci_deserialize` of what is current now, in the opposite order: what others need is whole before they
  /// are.
  func deserialize(_ states: [Serialized]) {
    for entry in states.reversed() {
      if let function = entry.object.hook("__luci_deserialize") { _ = ForeignCall.word(function, entry.state) }
    }
  }

  /// The last steps of an update on a thread of the program, when nothing can fail any more: constructors of versions
  /// with state of their own, hooks, commit.
  func finish(_ pairs: [NewVersion]) {
    let migrated = pairs.filter { $0.isMigrated }.map { $0.object }
    if !migrated.isEmpty {
      registry.publish(registry.objects + migrated)
      publishLinkMaps()
      var visited: [LoadedObject] = []
      for object in migrated { initialise(object, &visited) }
    }
    let states = serialize(pairs)
    commit(pairs)
    deserialize(states)
  }
}

/// What an object's `__luci_serialize` returned, and the version that gets it.
struct Serialized {
  let object: LoadedObject
  let state: UInt64
}

extension LoadedObject {
  /// The address of a function of this very object.
  func hook(_ name: StaticString) -> UInt64? {
    guard role != .host, let found = definition(of: SymbolName(name), version: nil), found.symbol.isFunction,
      !found.symbol.isIFunc, !found.symbol.isUndefined, found.symbol.value != 0
    else { return nil }
    return bias &+ found.symbol.value
  }

  /// Undefined symbols are not in the hash table: they stand in front of it.
  func imports(_ name: Bytes) -> Bool {
    let end = gnuHash.map { Int($0.firstSymbol) } ?? Int(sysvHash?.chainCount ?? 0)
    for index in 1..<max(1, min(end, symbols.limit)) {
      guard let symbol = symbols[index], symbol.isUndefined, symbols.matches(symbol, name) else { continue }
      return true
    }
    return false
  }
}
