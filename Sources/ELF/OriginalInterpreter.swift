/// The interpreter that a program had before `setinterp` changed it, without NUL; nil where nothing is remembered.
///
/// It stands in the file, at the end of PT_INTERP (`InterpreterRecord`).
public func originalInterpreter(of file: ObjectFile) -> Bytes? {
  guard let range = file.segments.interpreter, let area = file.bytes.slice(at: range.start, count: range.count)
  else { return nil }
  return InterpreterRecord(area)?.original
}

extension ObjectFile {
  /// The same, for code in whose type a function of that name would be found first.
  public var rememberedInterpreter: Bytes? { originalInterpreter(of: self) }
}

/// What `setinterp` remembers, read from the bytes of PT_INTERP.
///
/// PT_INTERP is a NUL-terminated path (gABI, "Program Interpreter"), but its size counts: the kernel reads
/// p_filesz bytes, at most PATH_MAX, wants the last one to be NUL and uses what lies before the first NUL. So there
/// is room behind the path for which nobody looks, which stays with the path through `strip`, and which is found
/// without any other table. All numbers are little-endian.
///
/// Long form:
///
///     path NUL | zeros | original path NUL | patches | footer
///
/// A patch is {u64 offset, u32 count, count bytes}: what stood there before. The footer has `footerSize` bytes:
/// u64 size and u64 FNV-1a hash of the file before the change, u64 offset and u32 count of the bytes that were put
/// into it, u32 number of patches, u32 size of the record (from the original path to the footer's end), u32 version
/// of the form (1), "LuciOld" NUL.
///
/// Short form, for a change in place where only a few bytes are left:
///
///     path NUL | zeros | "Luci" code NUL
///
/// The code stands for one of the well-known interpreters that filled the area before, with zeros to its end.
public struct InterpreterRecord {
  public static var footerSize: Int { 48 }
  public static var shortSize: Int { 6 }
  public static var version: UInt32 { 1 }
  public static var magic: StaticString { "LuciOld\0" }
  public static var shortMagic: StaticString { "Luci" }
  /// Offset, count.
  public static var patchHeaderSize: Int { 12 }

  /// Path of the original interpreter, without NUL.
  public let original: Bytes
  /// nil: the short form.
  public let undo: Undo?

  /// What brings the file back as it was.
  public struct Undo {
    public let originalSize: UInt64
    public let originalHash: UInt64
    public let addedOffset: UInt64
    public let addedCount: UInt64
    public let patchCount: Int
    public let patches: Bytes
  }

  /// The interpreters that have a code in the short form.
  public static func wellKnown(_ code: UInt8) -> StaticString? {
    switch code {
    case 1: "/lib64/ld-linux-x86-64.so.2"
    case 2: "/lib/ld-musl-x86_64.so.1"
    default: nil
    }
  }

  public static func code(of path: Bytes) -> UInt8? {
    var code: UInt8 = 1
    while let known = wellKnown(code) {
      if Bytes(known) == path { return code }
      code += 1
    }
    return nil
  }

  /// `area` is the whole of PT_INTERP; nil where it holds no record.
  public init?(_ area: Bytes) {
    guard let path = area.cString(at: 0) else { return nil }
    if let (original, undo) = InterpreterRecord.long(area, behind: path.count) {
      self.original = original
      self.undo = undo
      return
    }
    let start = area.count - InterpreterRecord.shortSize
    guard start > path.count, let short = area.suffix(from: UInt64(start)),
      short.hasPrefix(InterpreterRecord.shortMagic), short[InterpreterRecord.shortSize - 1] == 0,
      let known = InterpreterRecord.wellKnown(short[InterpreterRecord.shortSize - 2])
    else { return nil }
    original = Bytes(known)
    undo = nil
  }

  private static func long(_ area: Bytes, behind path: Int) -> (Bytes, Undo)? {
    let footerStart = area.count - footerSize
    guard footerStart > path, let footer = area.suffix(from: UInt64(footerStart)), footer.hasSuffix(magic),
      footer.load(UInt32.self, at: 36) == version,
      let originalSize = footer.load(UInt64.self, at: 0), let originalHash = footer.load(UInt64.self, at: 8),
      let addedOffset = footer.load(UInt64.self, at: 16), let addedCount = footer.load(UInt32.self, at: 24),
      let patchCount = footer.load(UInt32.self, at: 28), let recordSize = footer.load(UInt32.self, at: 32)
    else { return nil }
    let size = Int(recordSize)
    guard size > footerSize, size < area.count - path,
      let body = area.slice(at: UInt64(area.count - size), count: UInt64(size - footerSize)),
      let original = body.cString(at: 0), original.count > 0,
      let patches = body.suffix(from: UInt64(original.count + 1))
    else { return nil }
    let undo = Undo(
      originalSize: originalSize, originalHash: originalHash, addedOffset: addedOffset,
      addedCount: UInt64(addedCount), patchCount: Int(patchCount), patches: patches)
    return (original, undo)
  }
}
