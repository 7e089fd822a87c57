import CKernel

/// A field in code that depends on where the code lies.
public struct CodeReference {
  public enum Kind: UInt8, Equatable, Sendable {
    /// The displacement of a memory operand [rip + displacement].
    case memory
    /// The same of LEA, which takes the address only.
    case address
    /// A relative branch that leaves its function.
    case branch
  }

  /// Address of the field.
  public let field: UInt64
  public let target: UInt64
  public let kind: Kind
  /// Bytes of the field: 4, or 1 for a short branch.
  public let size: UInt8
  /// Bytes of the instruction behind the field.
  public let trailing: UInt8

  public var instructionEnd: UInt64 { field &+ UInt64(size) &+ UInt64(trailing) }
}

/// A function as the map lists it, by another name than that of the table's entries.
typealias FoundFunction = Function

/// All functions of an object, decoded once: their references and a hash of what does not depend on the place.
public struct CodeTable {
  public struct Function {
    public let range: AddressRange
    /// Of the bytes less position-dependent fields, with the names of symbols that are reached through the GOT.
    public let hash: UInt64
    /// In `references`.
    public let first: Int
    public let end: Int
    /// Every byte of it belongs to a decoded instruction.
    public let isDecoded: Bool
    public let source: FunctionSource
    /// Some instruction may be the first of two that read a relative table (see `RelativeLoad`).
    let mayReadRelativeTable: Bool
    /// `wideImmediates` has some of it.
    let hasWideImmediate: Bool
    /// Index in the model's table of the function that this one was found to be the same as; -1: none.
    let twin: Int32

    /// An entry of the PLT: it is what its slot is.
    public var isLinkage: Bool { source == .plt }
  }

  public internal(set) var functions: [Function] = []
  /// In order of address within each function.
  public internal(set) var references: [CodeReference] = []
  /// Addresses of MOVABS whose value would fit into four bytes: compilers write these only for the medium and large
  /// code model, where the value is a distance that the linker filled in.
  public private(set) var wideImmediates: [(address: UInt64, value: UInt64)] = []

  /// Of `functions`, once they are sorted.
  private var places = FunctionIndex.empty

  /// Decodes functions that are not in the table yet, but for those that `model` has as well.
  mutating func add(_ found: [FoundFunction], _ file: ObjectFile, _ context: SlotNames, _ model: CodeModel?) {
    functions.reserveCapacity(functions.count + found.count)
    if references.isEmpty {
      // One reference for 26 bytes of code, as libraries have it: less copying than growing step by step.
      var size: UInt64 = 0
      for function in found { size &+= function.range.count }
      let usual = Int(min(size, UInt64(file.bytes.count))) / 24
      references.reserveCapacity(min(usual, (model?.references.count).map { $0 + $0 / 16 } ?? usual))
    }
    for function in found {
      let bytes = file.image.bytes(at: function.range.start, count: function.range.count) ?? .empty
      // Where what follows is in the file as well, the last instructions are decoded as quickly as the others.
      let ahead = file.image.bytes(
        at: function.range.start, count: function.range.count &+ UInt64(QuickInstruction.window))
      // An entry of the PLT is decoded sooner than found: their order may be quite another one.
      if let model, function.source != .plt, copy(function, bytes, context, model) { continue }
      decode(bytes, ahead ?? bytes, function, context)
    }
  }

  /// Where branches lead from functions of the table to where none of it is.
  func branchTargets(_ known: [FoundFunction]) -> [UInt64] {
    var found: [UInt64] = []
    let places = FunctionIndex(count: known.count) { known[$0].range }
    for function in functions where !function.isLinkage {
      for reference in references[function.first..<function.end] where reference.kind == .branch {
        guard reference.target != found.last, !CodeTable.isKnown(reference.target, known, places) else { continue }
        found.append(reference.target)
      }
    }
    return found
  }

  private static func isKnown(_ address: UInt64, _ known: [FoundFunction], _ places: FunctionIndex) -> Bool {
    guard let first = places.first(for: address) else {
      return places.isEmpty && FunctionMap.index(in: known, containing: address) != nil
    }
    var index = first
    while index < known.count, known[index].range.end <= address { index &+= 1 }
    return index < known.count && known[index].range.contains(address)
  }

  /// To be called once all functions were added.
  mutating func sort() {
    functions.sort { $0.range.start < $1.range.start }
    places = FunctionIndex(count: functions.count) { functions[$0].range }
  }

  private mutating func decode(_ bytes: Bytes, _ ahead: Bytes, _ function: FoundFunction, _ context: SlotNames) {
    let range = function.range
    let first = references.count
    var hash = CodeHash()
    var hashed = 0
    var offset = 0
    var hasLoad = false
    let wideCount = wideImmediates.count
    while offset < bytes.count {
      let quick = ahead.quickInstruction(at: offset)
      if quick.length != 0, offset &+ quick.length <= bytes.count {
        if quick.field != .none, let reference = reference(quick, at: offset, in: range, bytes) {
          combine(reference, &hash, &hashed, bytes, range.start, context)
        }
        offset &+= quick.length
        continue
      }
      guard let instruction = InstructionDecoder.decode(bytes, at: offset),
        instruction.length != 0, offset &+ Int(instruction.length) <= bytes.count
      else { break }
      if let reference = reference(instruction, at: range.start &+ UInt64(offset), in: range, bytes, offset) {
        combine(reference, &hash, &hashed, bytes, range.start, context)
      } else if instruction.immediateSize == 8 {
        noteImmediate(bytes, offset &+ Int(instruction.immediateOffset), at: range.start &+ UInt64(offset))
      }
      if instruction.opcode == 0x63, RelativeLoad(instruction, bytes, offset) != nil { hasLoad = true }
      offset &+= Int(instruction.length)
    }
    hash.combine(bytes, from: hashed, to: bytes.count)
    hash.combine(UInt64(bytes.count))
    functions.append(
      Function(
        range: range, hash: hash.value, first: first, end: references.count,
        isDecoded: offset == bytes.count && UInt64(bytes.count) == range.count,
        source: function.source, mayReadRelativeTable: hasLoad,
        hasWideImmediate: wideImmediates.count != wideCount, twin: -1))
  }

  @inline(__always)
  private mutating func combine(
    _ reference: CodeReference, _ hash: inout CodeHash, _ hashed: inout Int, _ bytes: Bytes, _ start: UInt64,
    _ context: SlotNames
  ) {
    let position = Int(reference.field &- start)
    hash.combine(bytes, from: hashed, to: position)
    hashed = position &+ Int(reference.size)
    if reference.kind != .branch { hash.combine(context.hash(ofSlot: reference.target)) }
    references.append(reference)
  }

  /// The field of a common instruction; nil where it is a branch inside the function.
  @inline(__always)
  private func reference(
    _ quick: QuickInstruction, at offset: Int, in range: AddressRange, _ bytes: Bytes
  ) -> CodeReference? {
    let place = offset &+ quick.place
    let end = range.start &+ UInt64(truncatingIfNeeded: offset &+ quick.length)
    let isByte = quick.field == .byteDistance
    let distance =
      isByte ? Int64(bytes.load(Int8.self, at: place) ?? 0) : Int64(bytes.load(Int32.self, at: place) ?? 0)
    let target = end &+ UInt64(bitPattern: distance)
    let isBranch = isByte || quick.field == .wordDistance
    if isBranch && range.contains(target) { return nil }
    let size = isByte ? 1 : 4
    return CodeReference(
      field: range.start &+ UInt64(truncatingIfNeeded: place), target: target,
      kind: isBranch ? .branch : quick.field == .address ? .address : .memory, size: UInt8(size),
      trailing: UInt8(truncatingIfNeeded: quick.length &- quick.place &- size))
  }

  /// The position-dependent field of an instruction at `address`, if it has one.
  @inline(__always)
  private func reference(
    _ instruction: Instruction, at address: UInt64, in range: AddressRange, _ bytes: Bytes, _ offset: Int
  ) -> CodeReference? {
    let end = address &+ UInt64(instruction.length)
    if instruction.isRIPRelative {
      let place = Int(instruction.displacementOffset)
      guard let displacement = bytes.load(Int32.self, at: offset &+ place) else { return nil }
      let isLEA = instruction.map == 0 && instruction.opcode == 0x8d
      return CodeReference(
        field: address &+ UInt64(place), target: end &+ UInt64(bitPattern: Int64(displacement)),
        kind: isLEA ? .address : .memory, size: 4, trailing: instruction.length &- UInt8(place) &- 4)
    }
    guard instruction.isRelativeBranch else { return nil }
    let place = Int(instruction.immediateOffset)
    let distance: Int64
    switch instruction.immediateSize {
    case 1: distance = Int64(bytes.load(Int8.self, at: offset &+ place) ?? 0)
    case 4: distance = Int64(bytes.load(Int32.self, at: offset &+ place) ?? 0)
    default: return nil
    }
    let target = end &+ UInt64(bitPattern: distance)
    if range.contains(target) { return nil }
    return CodeReference(
      field: address &+ UInt64(place), target: target, kind: .branch, size: instruction.immediateSize,
      trailing: instruction.length &- UInt8(place) &- instruction.immediateSize)
  }

  private mutating func noteImmediate(_ bytes: Bytes, _ place: Int, at address: UInt64) {
    guard let value = bytes.load(Int64.self, at: place) else { return }
    if value > Int64(UInt32.max) || value < Int64(Int32.min) { return }
    wideImmediates.append((address, UInt64(bitPattern: value)))
  }

  /// Index of the function that starts at `address`.
  public func index(startingAt address: UInt64) -> Int? {
    guard let index = index(containing: address), functions[index].range.start == address else { return nil }
    return index
  }

  public func index(containing address: UInt64) -> Int? {
    if let first = places.first(for: address) {
      var index = first
      while index < functions.count, functions[index].range.end <= address { index &+= 1 }
      return index < functions.count && functions[index].range.contains(address) ? index : nil
    }
    var low = 0
    var high = functions.count
    while low < high {
      let middle = (low &+ high) / 2
      if functions[middle].range.end <= address { low = middle &+ 1 } else { high = middle }
    }
    guard low < functions.count, functions[low].range.contains(address) else { return nil }
    return low
  }
}
