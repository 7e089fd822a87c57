/// Another version whose code is known already. Most functions of two versions are the same but for distances, and
/// what was found out by decoding the one need not be found out again for the other.
final class CodeModel {
  let binary: Binary
  /// Where the counterpart of the next function is looked for first: functions mostly keep their order.
  private var next = 0

  init(_ binary: Binary) { self.binary = binary }

  /// Functions that are tried: so many may have been added or removed at a place.
  private static var window: Int { 8 }

  /// The first function from where the last one was on for which `body` returns true.
  func find(count: UInt64, _ body: (CodeTable.Function, Bytes) -> Bool) -> Bool {
    let end = min(next &+ CodeModel.window, binary.code.functions.count)
    var index = next
    while index < end {
      let function = binary.code.functions[index]
      index &+= 1
      guard function.range.count == count, function.isDecoded,
        let bytes = binary.file.image.bytes(at: function.range.start, count: count), body(function, bytes)
      else { continue }
      next = index
      return true
    }
    // It changed, and the next one follows the next one; or it is new, and the window serves.
    next = min(next &+ 1, binary.code.functions.count)
    return false
  }
}

extension CodeTable {
  /// Takes over what the model knows of a function whose bytes are the same but for position-dependent fields. They
  /// decode to the same instructions then, since no field has to do with an instruction's length. Returns false where
  /// there is no such function, or where another target makes a difference.
  mutating func copy(
    _ function: FoundFunction, _ bytes: Bytes, _ context: SlotNames, _ model: CodeModel
  ) -> Bool {
    guard UInt64(bytes.count) == function.range.count else { return false }
    let (range, first) = (function.range, references.count)
    let old = model.binary
    return model.find(count: range.count) { (twin, other) in
      // They are listed apart; hardly any function has one.
      if twin.hasWideImmediate { return false }
      var compared = 0
      for step in twin.first..<twin.end {
        let reference = old.code.references[step]
        let position = Int(truncatingIfNeeded: reference.field &- twin.range.start)
        guard bytes.isSame(as: other, from: compared, to: position),
          let moved = reference.moved(to: range, at: position, bytes),
          reference.kind == .branch
            ? !range.contains(moved.target)
            : context.hash(ofSlot: moved.target) == old.slotNames.hash(ofSlot: reference.target)
        else {
          references.removeLast(references.count &- first)
          return false
        }
        references.append(moved)
        compared = position &+ Int(reference.size)
      }
      guard bytes.isSame(as: other, from: compared, to: bytes.count) else {
        references.removeLast(references.count &- first)
        return false
      }
      functions.append(
        Function(
          range: range, hash: twin.hash, first: first, end: references.count, isDecoded: true,
          source: function.source, mayReadRelativeTable: twin.mayReadRelativeTable, hasWideImmediate: false))
      return true
    }
  }
}

extension CodeReference {
  /// The same field of the same instruction, `position` bytes behind the start of `range`, whose bytes are `bytes`.
  @inline(__always)
  fileprivate func moved(to range: AddressRange, at position: Int, _ bytes: Bytes) -> CodeReference? {
    let distance: Int64
    if size == 1 {
      guard let byte = bytes.load(Int8.self, at: position) else { return nil }
      distance = Int64(byte)
    } else {
      guard let word = bytes.load(Int32.self, at: position) else { return nil }
      distance = Int64(word)
    }
    let field = range.start &+ UInt64(truncatingIfNeeded: position)
    let target = field &+ UInt64(size) &+ UInt64(trailing) &+ UInt64(bitPattern: distance)
    return CodeReference(field: field, target: target, kind: kind, size: size, trailing: trailing)
  }
}

extension Bytes {
  /// Are the bytes [from, to) the same? False where they do not lie in both.
  @inline(__always)
  func isSame(as other: Bytes, from: Int, to: Int) -> Bool {
    guard from <= to, let a = slice(at: UInt64(truncatingIfNeeded: from), count: UInt64(to &- from)),
      let b = other.slice(at: UInt64(truncatingIfNeeded: from), count: UInt64(to &- from))
    else { return false }
    var index = 0
    while index &+ 8 <= a.count {
      if a.load(UInt64.self, at: index) != b.load(UInt64.self, at: index) { return false }
      index &+= 8
    }
    if index == a.count { return true }
    // The last eight bytes: some of them once more.
    if index > 0 { return a.load(UInt64.self, at: a.count &- 8) == b.load(UInt64.self, at: a.count &- 8) }
    while index < a.count {
      if a[index] != b[index] { return false }
      index &+= 1
    }
    return true
  }
}
