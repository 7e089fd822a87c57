import CKernel

/// The short way from a relocation to an address, for nearly all of them: through `LookupRun`s of the scopes that count
/// for an object, without the objects behind them. What it does not know goes the long way (`Relocator.resolve`), and
/// the answers are the same.
final class Shortcut {
  /// A scope, and the numbers that the object's versions have there.
  struct Way {
    let run: LookupRun
    let versionNumbers: [UInt32]

    init?(_ run: LookupRun, _ object: LoadedObject) {
      guard let numbers = run.versionNumbers(of: object) else { return nil }
      self.run = run
      versionNumbers = numbers
    }
  }

  let ahead: NamesAhead
  fileprivate let first: Way
  fileprivate let second: Way?
  /// What is in neither is nowhere.
  fileprivate let isComplete: Bool
  private let versionIndices: Bytes
  /// The last symbol and its address: many relocations in a row name the same.
  fileprivate var lastIndex = -1
  fileprivate var lastWithoutPLT = false
  fileprivate var lastAddress: UInt64 = 0

  init(_ object: LoadedObject, _ first: Way, _ second: Way?, isComplete: Bool) {
    self.first = first
    self.second = second
    self.isComplete = isComplete
    versionIndices = object.versions.rawTable
    ahead = NamesAhead(first.run, second?.run, object.symbols)
  }

  /// The number of the version that a reference asks for; 0: none.
  @inline(__always)
  func version(of symbol: Int, on way: Way) -> UInt32 {
    guard let raw = versionIndices.load(UInt16.self, at: symbol &* 2) else { return 0 }
    let index = Int(raw & 0x7fff)
    return index < way.versionNumbers.count ? way.versionNumbers[index] : 0
  }
}

extension Relocator {
  /// nil: an object whose own symbols come first, scopes that are not made ready, or LD_BIND_NOT.
  static func shortcut(for object: LoadedObject, _ context: Context) -> Shortcut? {
    guard !object.isSymbolic, context.lookUpAtEachCall == nil, let run = context.lookupRun,
      let global = Shortcut.Way(run, object)
    else { return nil }
    let isComplete = context.lookupRunIsComplete
    guard let scope = object.localScope else { return Shortcut(object, global, nil, isComplete: isComplete) }
    let local = scope.run.flatMap { Shortcut.Way($0, object) }
    if !object.prefersLocalScope {
      return Shortcut(object, global, local, isComplete: isComplete && local != nil)
    }
    return local.map { Shortcut(object, $0, global, isComplete: isComplete) }
  }

  /// The address that a relocation's symbol stands for; nil: only the long way tells. Mutating, as what it calls, for
  /// speed alone: each call would copy the relocator otherwise.
  mutating func address(of relocation: Relocation, withoutPLT: Bool) -> UInt64? {
    guard let shortcut else { return nil }
    let index = relocation.symbolIndex
    if index == shortcut.lastIndex, withoutPLT == shortcut.lastWithoutPLT { return shortcut.lastAddress }
    guard let address = lookUp(index, shortcut, withoutPLT: withoutPLT) else { return nil }
    shortcut.lastIndex = index
    shortcut.lastWithoutPLT = withoutPLT
    shortcut.lastAddress = address
    return address
  }

  private mutating func lookUp(_ index: Int, _ shortcut: Shortcut, withoutPLT: Bool) -> UInt64? {
    guard index != 0, let symbol = symbols[index], !symbol.isLocal, symbol.visibility == STV_DEFAULT,
      let name = shortcut.ahead.name(of: index) ?? symbols.hashedName(of: symbol)
    else { return nil }
    let version = shortcut.version(of: index, on: shortcut.first)
    if let hit = shortcut.first.run.find(name, version: version, withoutPLT: withoutPLT) {
      return address(of: hit, name, in: shortcut.first.run)
    }
    if let second = shortcut.second {
      let version = shortcut.version(of: index, on: second)
      if let hit = second.run.find(name, version: version, withoutPLT: withoutPLT) {
        return address(of: hit, name, in: second.run)
      }
    }
    guard shortcut.isComplete, symbol.isWeak else { return nil }
    return context.interposer(for: name.bytes) ?? 0
  }

  @inline(__always)
  private mutating func address(of hit: LookupRun.Hit, _ name: SymbolName, in run: LookupRun) -> UInt64? {
    if hit.symbol.isAbsolute || hit.symbol.isTLS { return nil }
    let source = run.sources[hit.object]
    let address = source.bias &+ hit.symbol.value
    if source.isHost {
      if let own = context.interposer(for: name.bytes) { return own }
      return hit.symbol.isIFunc ? context.resolveHostFunction(at: address) : address
    }
    if !source.isPlain || (hit.symbol.isIFunc && !hit.symbol.isUndefined) { return nil }
    if source.isOpened {
      if hit.symbol.isUnique { return nil }
      object.noteBinding(to: run.objects[hit.object])
    }
    return address
  }
}
