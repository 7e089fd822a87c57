import CKernel

/// The short way from a relocation to an address, for nearly all of them: through a `LookupRun`, without the objects
/// behind it. What it does not know goes the long way (`Relocator.resolve`), and the answers are the same.
final class Shortcut {
  let run: LookupRun
  let ahead: NamesAhead
  /// Whose references these are.
  let own: LookupRun.Source
  /// The last symbol and its address: many relocations in a row name the same.
  fileprivate var lastIndex = -1
  fileprivate var lastWithoutPLT = false
  fileprivate var lastAddress: UInt64 = 0

  init(_ run: LookupRun, _ own: LookupRun.Source) {
    self.run = run
    self.own = own
    ahead = NamesAhead(run, own.symbols)
  }
}

extension Relocator {
  /// nil: an object whose references are not looked up in the program's scope first.
  static func shortcut(for object: LoadedObject, _ run: LookupRun?) -> Shortcut? {
    guard let run, !object.isSymbolic, !object.prefersLocalScope, let index = run.index(of: object) else { return nil }
    return Shortcut(run, run.sources[index])
  }

  /// The address that a relocation's symbol stands for; nil: only the long way tells.
  func address(of relocation: Relocation, withoutPLT: Bool) -> UInt64? {
    guard let shortcut else { return nil }
    let index = relocation.symbolIndex
    if index == shortcut.lastIndex, withoutPLT == shortcut.lastWithoutPLT { return shortcut.lastAddress }
    guard let address = lookUp(index, shortcut, withoutPLT: withoutPLT) else { return nil }
    shortcut.lastIndex = index
    shortcut.lastWithoutPLT = withoutPLT
    shortcut.lastAddress = address
    return address
  }

  private func lookUp(_ index: Int, _ shortcut: Shortcut, withoutPLT: Bool) -> UInt64? {
    guard index != 0, let symbol = symbols[index], !symbol.isLocal, symbol.visibility == STV_DEFAULT,
      let name = shortcut.ahead.name(of: index) ?? symbols.hashedName(of: symbol)
    else { return nil }
    let run = shortcut.run
    let version = run.wantedVersion(of: index, in: shortcut.own)
    guard let hit = run.find(name, version: version, withoutPLT: withoutPLT), !hit.symbol.isAbsolute,
      !hit.symbol.isTLS
    else { return nil }
    let source = run.sources[hit.object]
    let address = source.bias &+ hit.symbol.value
    if source.isPlain { return hit.symbol.isIFunc && !hit.symbol.isUndefined ? nil : address }
    guard source.isHost else { return nil }
    if let own = context.interposer(for: name.bytes) { return own }
    return hit.symbol.isIFunc ? context.resolveHostFunction(at: address) : address
  }
}
