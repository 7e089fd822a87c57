/// The build id by which a file and its separate debug file know each other (NT_GNU_BUILD_ID, gABI "Note Section").
extension ObjectFile {
  public var buildID: Bytes? {
    if let sections = try? sections(), let found = ObjectFile.buildID(sections, bytes) { return found }
    for range in segments.notes {
      if let notes = image.bytes(at: range.start, count: range.count), let found = Notes.buildID(notes) {
        return found
      }
    }
    return nil
  }

  private static func buildID(_ sections: Sections, _ bytes: Bytes) -> Bytes? {
    guard let section = sections.first(named: ".note.gnu.build-id"),
      let notes = bytes.slice(at: section.fileOffset, count: section.size)
    else { return nil }
    return Notes.buildID(notes)
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
