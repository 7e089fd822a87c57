/// What relocating a newer version needs: the program's scope with newer versions in the places of older ones.
///
/// This runs on the helper thread: resolvers of indirect functions are program code and must not be called. The
/// host's were called at start-up, and what they chose is remembered; others are left to a program thread.
struct UpdateContext: RelocationContext {
  let program: Program
  let scope: Scope
  let pairs: [(old: LoadedObject, new: LoadedObject)]
  /// On a program thread: resolvers may run.
  let mayCall: Bool

  init(_ program: Program, _ pairs: [(old: LoadedObject, new: LoadedObject)], mayCall: Bool = false) {
    self.program = program
    self.pairs = pairs
    self.mayCall = mayCall
    scope = program.scope.replacing(pairs)
  }

  func definition(
    of name: SymbolName, version: SymbolVersion?, from object: LoadedObject, excluding: Scope.Exclusion
  ) -> Definition? {
    if object.isSymbolic, let own = object.definition(of: name, version: version) {
      return Definition(object: object, index: own.index, symbol: own.symbol)
    }
    if object.prefersLocalScope, let found = findLocally(name, version, object, excluding) { return found }
    return scope.find(name, version: version, excluding: excluding) ?? findLocally(name, version, object, excluding)
      ?? program.openedHosts.find(name, version: version, excluding: excluding)
  }

  private func findLocally(
    _ name: SymbolName, _ version: SymbolVersion?, _ object: LoadedObject, _ excluding: Scope.Exclusion
  ) -> Definition? {
    object.localScope?.replacing(pairs).find(name, version: version, excluding: excluding)
  }

  func uniqueDefinition(_ found: Definition, _ name: Bytes) -> Definition { program.uniqueDefinition(found, name) }

  func interposer(for name: Bytes) -> UInt64? { program.interposer(for: name) }

  func resolveHostFunction(at resolver: UInt64) -> UInt64? {
    mayCall ? program.resolveHostFunction(at: resolver) : program.hostChoices.choice(of: resolver)
  }

  var tlsBase: UInt64 { program.tlsBase }
  var tlsDescriptorResolver: UInt64 { program.tlsDescriptorResolver }
  var dynamicTLSDescriptorResolver: UInt64 { program.dynamicTLSDescriptorResolver }
  /// A newer version that lacks something is refused.
  var missingFunctionHandler: UInt64? { nil }
}

/// Which function each ifunc resolver of the host chose: asked for with most references to string functions of the C
/// library, so a plain table with open addressing.
public struct HostChoices {
  private var resolvers: [UInt64] = []
  private var choices: [UInt64] = []
  private var count = 0

  public init() {}

  /// Where a resolver's entry is, or would be; the table has free places.
  private func place(of resolver: UInt64) -> Int {
    let mask = resolvers.count - 1
    // Resolvers are at least 16 bytes apart.
    var index = Int(truncatingIfNeeded: (resolver >> 4) ^ (resolver >> 11)) & mask
    while resolvers[index] != 0, resolvers[index] != resolver { index = (index + 1) & mask }
    return index
  }

  public func choice(of resolver: UInt64) -> UInt64? {
    if count == 0 || resolver == 0 { return nil }
    let index = place(of: resolver)
    return resolvers[index] == resolver ? choices[index] : nil
  }

  public mutating func note(_ choice: UInt64, of resolver: UInt64) {
    if resolver == 0 { return }
    if 2 * (count + 1) > resolvers.count { grow() }
    let index = place(of: resolver)
    if resolvers[index] == 0 { count += 1 }
    resolvers[index] = resolver
    choices[index] = choice
  }

  private mutating func grow() {
    let old = (resolvers, choices)
    let size = max(64, resolvers.count * 2)
    resolvers = [UInt64](repeating: 0, count: size)
    choices = [UInt64](repeating: 0, count: size)
    for (index, resolver) in old.0.enumerated() where resolver != 0 {
      let place = place(of: resolver)
      resolvers[place] = resolver
      choices[place] = old.1[index]
    }
  }
}
