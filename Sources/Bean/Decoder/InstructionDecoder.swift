/// Decodes x86-64 instructions as far as Bean needs them: lengths, operand fields, flow.
///
/// Sources: Intel SDM volume 2, chapter 2 and appendix A; AMD APM volume 3 for XOP, 3DNow! and SSE4a. Where the two
/// vendors differ (66 before a near branch), Intel's reading is taken: the prefix changes nothing.
public enum InstructionDecoder {
  /// The instruction at `offset`; nil where its bytes are not all there, or where there is no such instruction.
  public static func decode(_ code: Bytes, at offset: Int) -> Instruction? {
    guard offset >= 0, offset < code.count else { return nil }
    var cursor = DecoderCursor(code, at: offset)
    guard cursor.decode() else { return nil }
    return cursor.result
  }
}

/// One instruction on its way from bytes to fields. Every step returns false where decoding can't go on.
struct DecoderCursor {
  /// More bytes raise #GP (SDM volume 2, 2.3.11).
  static var longest: Int { 15 }

  let code: Bytes
  let start: Int
  let limit: Int
  var position = 0
  var result = Instruction()

  var hasOperandSize = false
  var hasAddressSize = false
  var hasLock = false
  /// 0: none; 2: F3; 3: F2, as the field pp of VEX counts. The last one counts.
  var repeatPrefix: UInt8 = 0
  /// 0: none.
  var rex: UInt8 = 0

  init(_ code: Bytes, at offset: Int) {
    self.code = code
    start = offset
    limit = min(DecoderCursor.longest, code.count &- offset)
  }

  @inline(__always)
  mutating func next() -> UInt8? {
    guard position < limit else { return nil }
    let byte = code[start &+ position]
    position = position &+ 1
    return byte
  }

  /// The byte that `next` would give; 0 behind the end.
  @inline(__always)
  var peek: UInt8 { position < limit ? code[start &+ position] : 0 }

  /// Steps over `count` bytes.
  @inline(__always)
  mutating func skip(_ count: Int) -> Bool {
    position = position &+ count
    return position <= limit
  }

  mutating func decode() -> Bool {
    guard let opcode = takePrefixes() else { return false }
    result.isWide = rex & 8 != 0
    guard decodeOpcode(opcode) else { return false }
    result.length = UInt8(truncatingIfNeeded: position)
    return true
  }

  /// Takes legacy prefixes and REX, and the byte behind them. A REX before a legacy prefix has no effect.
  @inline(__always)
  mutating func takePrefixes() -> UInt8? {
    while let byte = next() {
      switch byte {
      case 0x40...0x4f:
        rex = byte
        continue
      case 0x66: hasOperandSize = true
      case 0x67: hasAddressSize = true
      case 0xf0: hasLock = true
      case 0xf3: repeatPrefix = 2
      case 0xf2: repeatPrefix = 3
      case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65: break
      default: return byte
      }
      rex = 0
    }
    return nil
  }

  @inline(__always)
  mutating func decodeOpcode(_ opcode: UInt8) -> Bool {
    switch opcode {
    case 0x0f: return decodeTwoByte()
    case 0xc4: return decodeVex3()
    case 0xc5: return decodeVex2()
    case 0x62: return decodeEvex()
    // XOP's map field is at least 8, which can't be POP's ModRM.reg of 0.
    case 0x8f where peek & 0x1f >= 8: return decodeXop()
    default: break
    }
    result.opcode = opcode
    let layout = Bytes(DecoderLayouts.oneByte)[Int(opcode)]
    guard takeOperands(layout) else { return false }
    if result.hasModRM, !DecoderGroups.isDefinedOneByte(opcode, result.modRM) { return false }
    if hasLock, !DecoderGroups.acceptsLockOneByte(opcode, result) { return false }
    setFlowOneByte(opcode)
    return true
  }

  /// The prefix that selects among SSE opcodes: F3 or F2, else 66.
  var mandatoryPrefix: UInt8 { repeatPrefix != 0 ? repeatPrefix : hasOperandSize ? 1 : 0 }

  mutating func decodeTwoByte() -> Bool {
    guard let opcode = next() else { return false }
    switch opcode {
    case 0x0f: return decode3DNow()
    case 0x38: return decodeThreeByte(2, DecoderLegacyOpcodes.legacyMap2, immediate: 0)
    case 0x3a: return decodeThreeByte(3, DecoderLegacyOpcodes.legacyMap3, immediate: 1)
    default: break
    }
    result.map = 1
    result.opcode = opcode
    guard exists(opcode, in: DecoderLegacyOpcodes.legacyMap1, prefix: mandatoryPrefix),
      takeOperands(Bytes(DecoderLayouts.map1)[Int(opcode)])
    else { return false }
    if result.hasModRM, !DecoderGroups.isDefinedTwoByte(opcode, result.modRM, prefix: mandatoryPrefix) {
      return false
    }
    if hasLock, !DecoderGroups.acceptsLockTwoByte(opcode, result) { return false }
    setFlowTwoByte(opcode)
    return true
  }

  private mutating func decodeThreeByte(_ map: UInt8, _ opcodes: StaticString, immediate: Int) -> Bool {
    guard let opcode = next(), !hasLock, exists(opcode, in: opcodes, prefix: mandatoryPrefix) else { return false }
    result.map = map
    result.opcode = opcode
    guard takeModRM(), takeImmediate(immediate) else { return false }
    return map != 2 || DecoderGroups.isDefinedThreeByte(opcode, result.modRM, prefix: mandatoryPrefix)
  }

  /// 0F 0F, ModRM and displacement, then the opcode, where others have an immediate.
  private mutating func decode3DNow() -> Bool {
    guard !hasLock, takeModRM(), let opcode = next() else { return false }
    result.encoding = .threeDNow
    result.map = 1
    result.opcode = opcode
    return DecoderGroups.isDefined3DNow(opcode)
  }

  /// Is `opcode` in a table of hexadecimal digits with `prefix` as the bit?
  @inline(__always)
  func exists(_ opcode: UInt8, in table: StaticString, prefix: UInt8) -> Bool {
    let digit = Bytes(table)[Int(opcode)]
    let mask = (digit & 0xf) &+ (digit >> 6) &* 9
    return mask & (1 << prefix) != 0
  }
}
