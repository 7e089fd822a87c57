/// One instruction of a function as far as structure layouts show in it: everything that has to be the same is in
/// `key`, and what a layout change touches stands beside it.
struct RiskStep {
  enum Kind: UInt8 {
    case plain
    /// MOV of a constant to a register; `value` is the constant.
    case constant
    /// CALL, or JMP out of the function; `value` is the target.
    case call
    /// CALL or JMP through a slot; `value` is the slot's address.
    case slotCall
    /// CALL or JMP through a register or [register + displacement].
    case pointerCall
    /// Ends a run of instructions that are executed one after the other.
    case jump
  }

  /// A hash of prefixes, opcode and registers. Left out: displacements and how many bytes they take, immediates,
  /// branch targets.
  var key: UInt64 = 0
  var value: UInt64 = 0
  /// Of [base + displacement].
  var displacement: Int32 = 0
  /// Offset in the function.
  var place: Int32 = 0
  var kind = Kind.plain
  /// The register that a constant goes to.
  var register: UInt8 = 0
  /// The operand is memory at a displacement from a register that may point to an object: a field, perhaps.
  var isField = false
}

/// What the bytes of an instruction before its displacement say. Offsets and fields as in Intel SDM volume 2, 2.1
/// to 2.3.
struct RiskEncoding {
  let instruction: Instruction
  let bytes: Bytes
  /// Of the instruction, in `bytes`.
  let start: Int
  /// Offset of the ModRM byte in the instruction.
  let modRMOffset: Int
  /// The bits that extend base, index and register, REX.B, REX.X and REX.R as they are in REX.
  private let extensionBits: UInt8

  @inline(__always)
  init(instruction: Instruction, bytes: Bytes, start: Int) {
    (self.instruction, self.bytes, self.start) = (instruction, bytes, start)
    modRMOffset = RiskEncoding.modRMOffset(instruction)
    extensionBits = RiskEncoding.extensionBits(instruction, bytes, start, opcode: modRMOffset &- 1)
  }

  var hasMemory: Bool { instruction.hasModRM && instruction.modRM < 0xc0 }
  private var hasSIB: Bool { hasMemory && instruction.modRM & 7 == 4 }

  private static func modRMOffset(_ instruction: Instruction) -> Int {
    let hasSIB = instruction.hasModRM && instruction.modRM < 0xc0 && instruction.modRM & 7 == 4
    let sib = hasSIB ? 1 : 0
    if instruction.displacementSize != 0 { return Int(instruction.displacementOffset) &- 1 &- sib }
    if instruction.immediateSize != 0 { return Int(instruction.immediateOffset) &- 1 &- sib }
    return Int(instruction.length) &- 1 &- sib
  }

  private var sib: UInt8 { hasSIB ? byte(modRMOffset &+ 1) : 0 }

  @inline(__always)
  private func byte(_ offset: Int) -> UInt8 { bytes[start &+ offset] }

  private static func extensionBits(
    _ instruction: Instruction, _ bytes: Bytes, _ start: Int, opcode: Int
  ) -> UInt8 {
    let byte = { (offset: Int) in bytes[start &+ offset] }
    switch instruction.encoding {
    case .legacy:
      let before = opcode &- (instruction.map == 0 ? 0 : instruction.map == 1 ? 1 : 2) &- 1
      guard before >= 0, byte(before) & 0xf0 == 0x40 else { return 0 }
      return byte(before) & 7
    case .vex where opcode >= 3 && byte(opcode &- 3) == 0xc4 && byte(opcode &- 2) & 0x1f == instruction.map:
      return ~byte(opcode &- 2) >> 5 & 7
    default: return 0
    }
  }

  /// Without REX, byte operands 4 to 7 are AH, CH, DH and BH. Valid for the first two maps.
  var hasREX: Bool {
    let end = instruction.immediateSize != 0 ? Int(instruction.immediateOffset) : Int(instruction.length)
    let opcode = (instruction.hasModRM ? modRMOffset : end) &- 1
    let before = opcode &- (instruction.map == 0 ? 0 : 1) &- 1
    return before >= 0 && byte(before) & 0xf0 == 0x40
  }

  var hasIndex: Bool { hasSIB && (sib >> 3 & 7 != 4 || extensionBits & 2 != 0) }

  /// The base register of a memory operand, with an index or without.
  var anyBase: UInt8? {
    guard hasSIB else { return base }
    if sib & 7 == 5, instruction.modRM < 0x40 { return nil }
    return sib & 7 | (extensionBits & 1) << 3
  }

  /// The register that a displacement counts from; nil: there is none, or an index as well: an element of an array.
  var base: UInt8? {
    guard hasMemory, !instruction.isRIPRelative else { return nil }
    let bits = extensionBits
    guard hasSIB else { return instruction.modRM & 7 | (bits & 1) << 3 }
    return hasIndex ? nil : anyBase
  }

  /// What ModRM.reg names. Valid where the instruction has ModRM.
  var register: UInt8 { instruction.modRM >> 3 & 7 | (extensionBits & 4) << 1 }

  /// The register that is the operand in place of memory.
  var operand: UInt8? {
    instruction.hasModRM && instruction.modRM >= 0xc0 ? instruction.modRM & 7 | (extensionBits & 1) << 3 : nil
  }

  /// Of opcodes whose low bits name a register.
  var opcodeRegister: UInt8 {
    let end = instruction.immediateSize != 0 ? Int(instruction.immediateOffset) : Int(instruction.length)
    let isExtended = end >= 2 && byte(end &- 2) & 0xf1 == 0x41
    return instruction.opcode & 7 | (isExtended ? 8 : 0)
  }

  var displacement: Int32 {
    let place = start &+ Int(instruction.displacementOffset)
    switch instruction.displacementSize {
    case 1: return Int32(bytes.load(Int8.self, at: place) ?? 0)
    case 4: return bytes.load(Int32.self, at: place) ?? 0
    default: return 0
    }
  }

  var immediate: Int64 {
    let place = start &+ Int(instruction.immediateOffset)
    switch instruction.immediateSize {
    case 1: return Int64(bytes.load(Int8.self, at: place) ?? 0)
    case 4: return Int64(bytes.load(Int32.self, at: place) ?? 0)
    case 8: return bytes.load(Int64.self, at: place) ?? 0
    default: return 0
    }
  }

  /// See `RiskStep.key`.
  var key: UInt64 {
    var hash = CodeHash()
    if instruction.isRelativeBranch {
      // A branch is the same whether its target is near or far.
      let isFar = instruction.map == 1 && instruction.opcode & 0xf0 == 0x80
      let opcode = isFar ? instruction.opcode &- 0x10 : instruction.opcode == 0xe9 ? 0xeb : instruction.opcode
      hash.combine(0x1_0000 | UInt64(opcode))
      return hash.value
    }
    guard instruction.hasModRM, instruction.encoding != .threeDNow else {
      let end = instruction.immediateSize != 0 ? Int(instruction.immediateOffset) : Int(instruction.length)
      hash.combine(bytes, from: start, to: start &+ end)
      return hash.value
    }
    let place = modRMOffset
    // 81 and 83 differ in how many bytes the immediate has.
    let opcode = instruction.map == 0 && instruction.opcode == 0x81 ? 0x83 : instruction.opcode
    var fields = UInt64(opcode) | UInt64(instruction.modRM & 0x3f) << 8 | UInt64(sib) << 16
    if hasMemory { fields |= 1 << 24 }
    if instruction.isRIPRelative { fields |= 1 << 25 }
    // Prefixes and escapes. Most instructions have no more than four, and cost one step of the hash.
    if place > 5 {
      hash.combine(bytes, from: start, to: start &+ place &- 1)
    } else {
      var offset = 0
      while offset < place &- 1 {
        fields |= UInt64(byte(offset)) << UInt64(truncatingIfNeeded: 32 &+ 8 &* offset)
        offset &+= 1
      }
    }
    hash.combine(fields)
    return hash.value
  }
}
