/// Separate debug files, which know their objects by the build id.
extension ObjectFile {
  /// By the section: in a debug file segments describe what is not in it.
  private static func buildID(_ sections: Sections, _ bytes: Bytes) -> Bytes? {
    guard let section = sections.first(named: ".note.gnu.build-id"),
      let notes = bytes.slice(at: section.fileOffset, count: section.size)
    else { return nil }
    return Notes.buildID(notes)
  }

  /// The symbols of a debug file with this build id.
  public static func debugSymbols(in bytes: Bytes, buildID wanted: Bytes) -> SymbolTable? {
    guard let header = try? FileHeader(bytes), let sections = try? Sections(bytes, header),
      buildID(sections, bytes) == wanted
    else { return nil }
    return staticSymbols(sections, bytes)
  }
}
