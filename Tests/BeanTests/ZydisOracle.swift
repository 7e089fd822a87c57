import Bean
import CZydis

/// Zydis' view of an instruction in Bean's terms.
struct ZydisOracle {
  private var decoder = ZydisDecoder()

  init() { ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64) }

  struct Fields: Equatable {
    var length = 0
    var displacement = (offset: 0, size: 0)
    var immediate = (offset: 0, size: 0)
    var isRIPRelative = false
    var isRelativeBranch = false

    static func == (left: Fields, right: Fields) -> Bool {
      left.length == right.length && left.displacement == right.displacement && left.immediate == right.immediate
        && left.isRIPRelative == right.isRIPRelative && left.isRelativeBranch == right.isRelativeBranch
    }
  }

  func decode(_ code: Bytes, at offset: Int) -> Fields? {
    var decoder = self.decoder
    var instruction = ZydisDecodedInstruction()
    let status = code.withUnsafeBytes { buffer in
      ZydisDecoderDecodeInstruction(
        &decoder, nil, buffer.baseAddress! + offset, ZyanUSize(min(15, buffer.count - offset)), &instruction)
    }
    // ZYAN_SUCCESS is a macro that Swift doesn't see: the sign bit is the error bit.
    guard status & 0x8000_0000 == 0 else { return nil }
    // Knights Corner's own instructions (MVEX, JKZD) share their encodings with nothing that runs Linux programs.
    switch instruction.meta.isa_ext {
    case ZYDIS_ISA_EXT_KNC, ZYDIS_ISA_EXT_KNCE, ZYDIS_ISA_EXT_KNCV: return nil
    default: return fields(instruction)
    }
  }

  private func fields(_ instruction: ZydisDecodedInstruction) -> Fields {
    var result = Fields(length: Int(instruction.length))
    let raw = instruction.raw
    if raw.disp.size != 0 { result.displacement = (Int(raw.disp.offset), Int(raw.disp.size) / 8) }
    if raw.imm.0.size != 0 {
      // Two immediates (ENTER, EXTRQ, INSERTQ) lie side by side: one field for Bean.
      result.immediate = (Int(raw.imm.0.offset), Int(raw.imm.0.size) / 8 + Int(raw.imm.1.size) / 8)
    }
    result.isRelativeBranch = raw.imm.0.is_relative != 0
    let hasModRM = instruction.attributes & UInt64(1 << 0) != 0
    // MOV to and from control registers ignores mod: no memory operand, no displacement.
    result.isRIPRelative = hasModRM && raw.modrm.mod == 0 && raw.modrm.rm == 5 && raw.disp.size == 32
    return result
  }
}

extension ZydisOracle.Fields {
  init(_ instruction: Instruction) {
    length = Int(instruction.length)
    displacement = (Int(instruction.displacementOffset), Int(instruction.displacementSize))
    immediate = (Int(instruction.immediateOffset), Int(instruction.immediateSize))
    isRIPRelative = instruction.isRIPRelative
    isRelativeBranch = instruction.isRelativeBranch
  }
}
