extension Binary {
  /// Instructions behind LEA that are looked at.
  private static var reach: Int { 12 }

  /// Does the code behind LEA, before any branch and before the register changes, access memory at just the address
  /// that LEA took? Then that is the start of a variable, and not the end of another.
  func accessesAtOnce(_ reference: CodeReference, in function: CodeTable.Function) -> Bool {
    guard reference.kind == .address,
      let bytes = file.image.bytes(at: function.range.start, count: function.range.count)
    else { return false }
    let place = Int(reference.field &- function.range.start)
    var offset = Int(reference.instructionEnd &- function.range.start)
    // REX.W, 8D, ModRM, displacement.
    guard place >= 3, bytes[place &- 3] & 0xf8 == 0x48, bytes[place &- 2] == 0x8d else { return false }
    let register = bytes[place &- 1] >> 3 & 7 | (bytes[place &- 3] & 4) << 1
    for _ in 0..<Binary.reach {
      guard let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.flow == .next else {
        return false
      }
      let encoding = RiskEncoding(instruction: instruction, bytes: bytes, start: offset)
      let isLEA = instruction.encoding == .legacy && instruction.map == 0 && instruction.opcode == 0x8d
      if instruction.hasModRM, instruction.modRM < 0x40, !isLEA, encoding.base == register { return true }
      if Binary.mayWrite(register, instruction) { return false }
      offset += Int(instruction.length)
    }
    return false
  }

  /// Whether an instruction might change a general register: any that its ModRM byte names, whatever REX says, and
  /// those of instructions without one.
  private static func mayWrite(_ register: UInt8, _ instruction: Instruction) -> Bool {
    if instruction.isNop { return false }
    guard instruction.hasModRM else { return true }
    // MUL, DIV and the like write RAX and RDX.
    let isImplicit = instruction.map == 0 && (instruction.opcode == 0xf6 || instruction.opcode == 0xf7)
    if isImplicit && instruction.modRM >> 3 & 7 >= 4 { return true }
    let isStore = instruction.map == 0 && (instruction.opcode == 0x88 || instruction.opcode == 0x89)
    if instruction.modRM >> 3 & 7 == register & 7, !isImmediate(instruction), !(isStore && instruction.modRM < 0xc0) {
      return true
    }
    return instruction.modRM >= 0xc0 && instruction.modRM & 7 == register & 7
  }

  /// ModRM.reg is a part of the opcode: groups with an immediate.
  private static func isImmediate(_ instruction: Instruction) -> Bool {
    instruction.encoding == .legacy && instruction.map == 0
      && (instruction.opcode & 0xfc == 0x80 || instruction.opcode & 0xfe == 0xc6)
  }
}
