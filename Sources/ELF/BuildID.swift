import CKernel

/// The build id by which a file and its separate debug file know each other (NT_GNU_BUILD_ID, gABI "Note Section").
extension ObjectFile {
  public var buildID: Bytes? { (try? sections()).flatMap { ObjectFile.buildID($0, bytes) } }

  private static func buildID(_ sections: Sections, _ bytes: Bytes) -> Bytes? {
    guard let section = sections.first(named: ".note.gnu.build-id"),
      let note = bytes.slice(at: section.fileOffset, count: section.size), note.load(UInt32.self, at: 0) == 4,
      let size = note.load(UInt32.self, at: 4), note.load(UInt32.self, at: 8) == UInt32(NT_GNU_BUILD_ID), size > 2
    else { return nil }
    return note.slice(at: 16, count: UInt64(size))
  }

  /// The symbols of a debug file with this object's build id. Only its sections count: its segments describe what is
  /// not in it.
  public static func debugSymbols(in bytes: Bytes, buildID wanted: Bytes) -> SymbolTable? {
    guard let header = try? FileHeader(bytes), let sections = try? Sections(bytes, header),
      buildID(sections, bytes) == wanted
    else { return nil }
    return staticSymbols(sections, bytes)
  }
}
