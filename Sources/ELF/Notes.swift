import CKernel

/// Notes (gABI, "Note Section").
extension ObjectFile {
  /// The content of NT_GNU_BUILD_ID, by which debug information is found; nil where there is none.
  public var buildID: Bytes? {
    for range in segments.notes {
      if let notes = image.bytes(at: range.start, count: range.count), let found = Notes.buildID(notes) {
        return found
      }
    }
    return nil
  }
}

public enum Notes {
  /// The longest build-id that counts: linkers make 16, 20 or 32 bytes.
  private static var maximumBuildID: UInt32 { 64 }

  /// Each note has the sizes of its name and descriptor, its type, then both, padded to four bytes.
  public static func buildID(_ notes: Bytes) -> Bytes? {
    var offset: UInt64 = 0
    while let nameSize = notes.load(UInt32.self, at: offset), let size = notes.load(UInt32.self, at: offset &+ 4),
      let type = notes.load(UInt32.self, at: offset &+ 8)
    {
      let name = offset &+ 12
      let content = name &+ (UInt64(nameSize) &+ 3) & ~3
      if type == UInt32(NT_GNU_BUILD_ID), size > 0, size <= maximumBuildID,
        let owner = notes.slice(at: name, count: UInt64(nameSize)), owner == Bytes("GNU\0")
      {
        return notes.slice(at: content, count: UInt64(size))
      }
      offset = content &+ (UInt64(size) &+ 3) & ~3
    }
    return nil
  }
}
