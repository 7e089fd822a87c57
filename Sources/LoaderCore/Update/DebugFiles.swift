/// LD_DEBUG_SYMBOLS: separate debug files, found by build id.
final class DebugFiles {
  private let root: Path
  private let vetting: FileVetting
  private var known: [(buildID: [UInt8], copy: PrivateCopy)] = []

  init?(_ settings: Settings) {
    guard let root = settings.debugSymbols else { return nil }
    self.root = root
    vetting = FileVetting(settings)
  }

  /// The symbols for a file; nil: there is no debug file for it, or none that may be used. They lie in memory that
  /// stays.
  func symbols(for bytes: Bytes) -> SymbolTable? {
    guard let buildID = (try? ObjectFile(bytes))?.buildID else { return nil }
    for entry in known where entry.buildID.withUnsafeBytes({ Bytes($0) == buildID }) {
      return ObjectFile.debugSymbols(in: entry.copy.bytes, buildID: buildID)
    }
    guard let copy = try? PrivateCopy(of: path(of: buildID)) else { return nil }
    defer { copy.closeDescriptor() }
    guard vetting.refusal(file: copy.status) == nil,
      let symbols = ObjectFile.debugSymbols(in: copy.bytes, buildID: buildID)
    else { return nil }
    known.append((buildID.copy(), copy))
    return symbols
  }

  /// ROOT/.build-id/ab/cdef….debug, as debuggers have it.
  private func path(of buildID: Bytes) -> Path {
    var text = Text(".build-id/")
    for index in 0..<buildID.count {
      if index == 1 { text.append("/") }
      text.append(hexadecimalByte: buildID[index])
    }
    text.append(".debug")
    return text.withBytes { root.appending($0) }
  }
}

extension Text {
  fileprivate mutating func append(hexadecimalByte byte: UInt8) {
    for digit in [byte >> 4, byte & 15] { append(byte: digit < 10 ? 48 + digit : 87 + digit) }
  }
}
