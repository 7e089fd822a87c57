import CKernel

/// The short way from a relocation to an address, for nearly all of them: through a `LookupRun`, without the objects
/// behind it. What it does not know goes the long way (`Relocator.resolve`), and the answers are the same.
final class Shortcut {
  let run: LookupRun
  let ahead: NamesAhead
  /// The object's DT_VERSYM and the numbers of its versions.
  private let versionIndices: Bytes
  private let versionNumbers: [UInt32]
  /// The last symbol and its address: many relocations in a row name the same.
  fileprivate var lastIndex = -1
  fileprivate var lastWithoutPLT = false
  fileprivate var lastAddress: UInt64 = 0

  init(_ run: LookupRun, _ object: LoadedObject, _ versionNumbers: [UInt32]) {
    self.run = run
    versionIndices = object.versions.rawTable
    self.versionNumbers = versionNumbers
    ahead = NamesAhead(run, object.symbols)
  }

  /// The number of the version that a reference asks for; 0: none.
  @inline(__always)
  func version(of symbol: Int) -> UInt32 {
    guard let raw = versionIndices.load(UInt16.self, at: symbol &* 2) else { return 0 }
    let index = Int(raw & 0x7fff)
    return index < versionNumbers.count ? versionNumbers[index] : 0
  }
}

extension Relocator {
  /// nil: an object whose references are not looked up in the program's scope first.
  static func shortcut(for object: LoadedObject, _ run: LookupRun?) -> Shortcut? {
    guard let run, !object.isSymbolic, !object.prefersLocalScope,
      let numbers = run.versionNumbers(of: object)
    else { return nil }
    return Shortcut(run, object, numbers)
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
    guard let hit = run.find(name, version: shortcut.version(of: index), withoutPLT: withoutPLT), !hit.symbol.isAbsolute,
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
