import ELF

/// Reads, changes and brings back the interpreter of a program: bytes in, bytes out.
///
/// A change always starts from the program as it was before any other change, so repeated changes neither pile up
/// nor forget the first original; and it is accepted only if undoing it gives back the very same bytes.
public enum InterpreterEditor {
  public struct Change: Equatable {
    public let bytes: [UInt8]
    public let placement: Placement
  }

  public struct Restoration: Equatable {
    public let bytes: [UInt8]
    /// Byte by byte the file before the first change. Otherwise something else has changed the file since
    /// (`strip`, for example), and only the path was put back.
    public let isExact: Bool
  }

  /// PT_INTERP p_filesz that every reader takes: the kernel allows PATH_MAX (fs/binfmt_elf.c), readelf one less.
  static var largestArea: Int { 4095 }

  /// The current interpreter, without NUL.
  public static func interpreter(of bytes: [UInt8]) throws(InterpreterError) -> [UInt8] {
    path(in: try Program(bytes).area)
  }

  /// The remembered original; nil: none.
  public static func original(of bytes: [UInt8]) throws(InterpreterError) -> [UInt8]? {
    try Program(bytes).area.withELFBytes { InterpreterRecord($0)?.original.copy() }
  }

  public static func restore(_ bytes: [UInt8]) throws(InterpreterError) -> Restoration {
    guard let restoration = restoration(of: try Program(bytes)) else { throw .nothingRemembered }
    return restoration
  }

  public static func set(_ bytes: [UInt8], to path: [UInt8]) throws(InterpreterError) -> Change {
    guard !path.isEmpty else { throw .emptyPath }
    guard !path.contains(0) else { throw .nulInPath }
    let changed = try Program(bytes)
    let base = restoration(of: changed)?.bytes ?? bytes
    let program = base == bytes ? changed : try Program(base)
    let original = Self.path(in: program.area)
    if original == path { return Change(bytes: base, placement: base == bytes ? .unchanged : .restored) }
    if let result = inPlace(program, path: path, original: original), isUndone(result, to: base) {
      return Change(bytes: result, placement: result == bytes ? .unchanged : .inPlace)
    }
    return try moved(program, path: path, original: original, from: bytes)
  }

  /// To another place in the file.
  private static func moved(
    _ program: Program, path: [UInt8], original: [UInt8], from bytes: [UInt8]
  ) throws(InterpreterError) -> Change {
    let base = program.file.bytes
    let hash = base.withELFBytes { FNV1a.hash($0) }
    var record = RecordBuilder(original: original, originalSize: UInt64(base.count), originalHash: hash)
    // How many patches there are depends on the plan, and the plan on the size: the largest number counts.
    record.patches = program.patches(for: Plan(placement: .padding, offset: 0, segment: 0))
    let size = path.count + 1 + record.size
    guard size <= largestArea else { throw .pathTooLong(limit: max(largestArea - 1 - record.size, 0)) }
    let plans = [
      program.paddingPlan(size: size), program.insertionPlan(size: size), program.appendingPlan(size: size),
    ]
    for case let plan? in plans {
      record.patches = program.patches(for: plan)
      record.addedOffset = plan.inserted > 0 ? plan.offset : 0
      record.addedCount = plan.inserted
      let result = program.applying(plan, area: record.area(path: path, size: size))
      guard isUndone(result, to: base) else { continue }
      return Change(bytes: result, placement: result == bytes ? .unchanged : plan.placement)
    }
    throw .notReversible
  }

  /// What comes before the first NUL.
  private static func path(in area: [UInt8]) -> [UInt8] { Array(area.prefix { $0 != 0 }) }

  private static func restoration(of program: Program) -> Restoration? {
    let area = program.area
    return area.withELFBytes { bytes -> Restoration? in
      guard let record = InterpreterRecord(bytes) else { return nil }
      if let undo = record.undo, let restored = program.undoing(undo) {
        return Restoration(bytes: restored, isExact: true)
      }
      let path = record.original.copy()
      guard path.count < area.count else { return nil }
      var file = program.file
      file.store(path.padded(to: area.count), at: program.interpreter.p_offset)
      return Restoration(bytes: file.bytes, isExact: record.undo == nil)
    }
  }

  /// Over the old path, where both the new one and a record fit; the old one must fill its area with zeros.
  private static func inPlace(_ program: Program, path: [UInt8], original: [UInt8]) -> [UInt8]? {
    let area = program.area
    guard area.dropFirst(original.count).allSatisfy({ $0 == 0 }) else { return nil }
    let offset = program.interpreter.p_offset
    var record = RecordBuilder(original: original, originalSize: UInt64(program.file.count))
    record.patches = [RecordBuilder.Patch(offset: offset, bytes: original)]
    let new: [UInt8]
    if path.count + 1 + record.size <= area.count {
      record.originalHash = program.file.bytes.withELFBytes { FNV1a.hash($0) }
      new = record.area(path: path, size: area.count)
    } else if let short = RecordBuilder.shortArea(path: path, original: original, size: area.count) {
      new = short
    } else {
      return nil
    }
    var file = program.file
    file.store(new, at: offset)
    return file.bytes
  }

  private static func isUndone(_ result: [UInt8], to base: [UInt8]) -> Bool {
    guard let program = try? Program(result), let restored = restoration(of: program) else { return false }
    return restored.isExact && restored.bytes == base
  }
}
