/// Another version whose code is known already. Most functions of two versions are the same but for distances, and
/// what was found out by decoding the one need not be found out again for the other.
final class CodeModel {
  let slotNames: SlotNames
  let functions: [CodeTable.Function]
  let references: [CodeReference]
  private let image: Image
  /// Indices of all functions but entries of the PLT.
  private var order: [Int32] = []
  /// Where, in `order`, the counterpart of the next function is looked for first: functions mostly keep their order.
  private var next = 0

  init(_ binary: Binary) {
    slotNames = binary.slotNames
    functions = binary.code.functions
    references = binary.code.references
    image = binary.file.image
    order = functions.indices.filter { !functions[$0].isLinkage }.map { Int32(truncatingIfNeeded: $0) }
  }

  /// Functions on each side that are tried: so many may have been added or removed at a place.
  private static var window: Int { 16 }

  /// The function nearest to where the last one was, behind it first, for which `body` returns true.
  func find(count: UInt64, _ body: (Int, Bytes) -> Bool) -> Bool {
    for distance in 0..<2 &* CodeModel.window {
      let place = distance < CodeModel.window ? next &+ distance : next &- 1 &- (distance &- CodeModel.window)
      guard place >= 0, place < order.count else { continue }
      let index = Int(order[place])
      guard functions[index].range.count == count, functions[index].isDecoded,
        let bytes = image.bytes(at: functions[index].range.start, count: count), body(index, bytes)
      else { continue }
      next = place &+ 1
      return true
    }
    // Most likely it changed, and the next one follows the next one.
    next = min(next &+ 1, order.count)
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
    return model.find(count: range.count) { (index, other) in
      let twin = model.functions[index]
      // They are listed apart; hardly any function has one.
      if twin.hasWideImmediate { return false }
      var compared = 0
      for step in twin.first..<twin.end {
        let reference = model.references[step]
        let position = Int(truncatingIfNeeded: reference.field &- twin.range.start)
        guard bytes.isSame(as: other, from: compared, to: position),
          let moved = reference.moved(to: range, at: position, bytes),
          reference.kind == .branch
            ? !range.contains(moved.target)
            : context.hash(ofSlot: moved.target) == model.slotNames.hash(ofSlot: reference.target)
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
          source: function.source, mayReadRelativeTable: twin.mayReadRelativeTable, hasWideImmediate: false,
          twin: Int32(truncatingIfNeeded: index)))
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
    guard from >= 0, from <= to, to <= count, to <= other.count else { return false }
    var index = from
    while index &+ 8 <= to {
      if load(UInt64.self, at: index) != other.load(UInt64.self, at: index) { return false }
      index &+= 8
    }
    if index == to { return true }
    // The last eight bytes: some of them once more.
    if index > from { return load(UInt64.self, at: to &- 8) == other.load(UInt64.self, at: to &- 8) }
    if to &- from >= 4 {
      return load(UInt32.self, at: from) == other.load(UInt32.self, at: from)
        && load(UInt32.self, at: to &- 4) == other.load(UInt32.self, at: to &- 4)
    }
    while index < to {
      if self[index] != other[index] { return false }
      index &+= 1
    }
    return true
  }
}
