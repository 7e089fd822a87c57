/// The VEX, EVEX and XOP encodings (Intel SDM volume 2, 2.3 and 2.7; AMD APM volume 6 for XOP).
extension DecoderCursor {
  /// 66, F2, F3, LOCK and REX before these raise #UD: the payload holds their meaning.
  private var hasForbiddenPrefix: Bool { hasOperandSize || hasLock || repeatPrefix != 0 || rex != 0 }

  mutating func decodeVex2() -> Bool {
    guard !hasForbiddenPrefix, let payload = next() else { return false }
    return finishVex(map: 1, prefix: payload & 3)
  }

  mutating func decodeVex3() -> Bool {
    guard !hasForbiddenPrefix, let first = next(), let second = next() else { return false }
    result.isWide = second & 0x80 != 0
    return finishVex(map: first & 0x1f, prefix: second & 3)
  }

  private mutating func finishVex(map: UInt8, prefix: UInt8) -> Bool {
    guard let opcode = next() else { return false }
    let table: StaticString
    switch map {
    case 1: table = DecoderVexOpcodes.vexMap1
    case 2: table = DecoderVexOpcodes.vexMap2
    case 3: table = DecoderVexOpcodes.vexMap3
    default: return false
    }
    guard exists(opcode, in: table, prefix: prefix) else { return false }
    set(.vex, map, opcode)
    // VZEROUPPER and VZEROALL are alone in having no operands.
    if map == 1, opcode == 0x77 { return true }
    guard takeModRM(), takeImmediate(vectorImmediate(map, opcode)) else { return false }
    return DecoderGroups.isDefinedVector(map, opcode, result.modRM)
  }

  mutating func decodeEvex() -> Bool {
    guard !hasForbiddenPrefix, let first = next(), let second = next(), let third = next(), let opcode = next(),
      first & 0x08 == 0, second & 0x04 != 0
    else { return false }
    // Zeroing needs a mask.
    if third & 0x80 != 0, third & 7 == 0 { return false }
    let map = first & 7
    let table: StaticString
    switch map {
    case 1: table = DecoderEvexOpcodes.evexMap1
    case 2: table = DecoderEvexOpcodes.evexMap2
    case 3: table = DecoderEvexOpcodes.evexMap3
    case 5: table = DecoderEvexOpcodes.evexMap5
    case 6: table = DecoderEvexOpcodes.evexMap6
    default: return false
    }
    guard exists(opcode, in: table, prefix: second & 3) else { return false }
    result.isWide = second & 0x80 != 0
    set(.evex, map, opcode)
    // disp8 is scaled by the operand's size (disp8*N), but it is one byte all the same.
    return takeModRM() && takeImmediate(vectorImmediate(map, opcode))
  }

  mutating func decodeXop() -> Bool {
    guard !hasForbiddenPrefix, let first = next(), let second = next(), let opcode = next() else { return false }
    let map = first & 0x1f
    let table: StaticString
    let immediate: Int
    switch map {
    case 8: (table, immediate) = (DecoderVexOpcodes.xopMap8, 1)
    case 9: (table, immediate) = (DecoderVexOpcodes.xopMap9, 0)
    case 10: (table, immediate) = (DecoderVexOpcodes.xopMap10, 4)
    default: return false
    }
    guard exists(opcode, in: table, prefix: second & 3) else { return false }
    result.isWide = second & 0x80 != 0
    set(.xop, map, opcode)
    return takeModRM() && takeImmediate(immediate)
  }

  private mutating func set(_ encoding: Instruction.Encoding, _ map: UInt8, _ opcode: UInt8) {
    result.encoding = encoding
    result.map = map
    result.opcode = opcode
  }

  /// imm8: all of map 3, and in map 1 what has one without VEX too.
  private func vectorImmediate(_ map: UInt8, _ opcode: UInt8) -> Int {
    switch map {
    case 3: return 1
    case 1:
      switch opcode {
      case 0x70...0x73, 0xc2, 0xc4...0xc6: return 1
      default: return 0
      }
    default: return 0
    }
  }
}
