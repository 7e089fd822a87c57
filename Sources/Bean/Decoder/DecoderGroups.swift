/// Opcodes that exist only for some values of ModRM (Intel SDM volume 2, tables ). Data that is taken
/// for code fails here, so this is what tells the two apart in gaps between functions.
enum DecoderGroups {
  @inline(__always)
  static func isDefinedOneByte(_ opcode: UInt8, _ modRM: UInt8) -> Bool {
    guard opcode >= 0x8c else { return true }
    let reg = modRM >> 3 & 7
    let isRegister = modRM >= 0xc0
    switch opcode {
    case 0x8c: return reg < 6
    case 0x8d: return !isRegister
    case 0x8e: return reg < 6 && reg != 1
    case 0x8f: return reg == 0
    case 0xc6, 0xc7: return reg == 0 || modRM == 0xf8
    case 0xd8...0xdf: return isDefinedX87(opcode, modRM)
    case 0xfe: return reg < 2
    case 0xff: return reg != 7 && !(isRegister && (reg == 3 || reg == 5))
    default: return true
    }
  }

  /// For registers one bit per ModRM from C0 on, for memory one per ModRM.reg. Aliases that processors accept
  /// though manuals leave them out count as defined.
  private static func isDefinedX87(_ opcode: UInt8, _ modRM: UInt8) -> Bool {
    let registers: UInt64
    let memory: UInt8
    switch opcode {
    case 0xd9: (registers, memory) = (0xffff_7f33_ff01_ffff, 0xfd)
    case 0xda: (registers, memory) = (0x0000_0200_ffff_ffff, 0xff)
    case 0xdb: (registers, memory) = (0x00ff_ff1f_ffff_ffff, 0xaf)
    case 0xdd: (registers, memory) = (0x0000_ffff_ffff_ffff, 0xdf)
    case 0xde: (registers, memory) = (0xffff_ffff_02ff_ffff, 0xff)
    case 0xdf: (registers, memory) = (0x00ff_ff01_ffff_ffff, 0xff)
    default: return true
    }
    if modRM >= 0xc0 { return registers >> UInt64(modRM & 0x3f) & 1 != 0 }
    return memory >> (modRM >> 3 & 7) & 1 != 0
  }

  @inline(__always)
  static func isDefinedTwoByte(_ opcode: UInt8, _ modRM: UInt8, prefix: UInt8) -> Bool {
    let reg = modRM >> 3 & 7
    let isRegister = modRM >= 0xc0
    switch opcode {
    case 0x00: return reg < 6
    case 0x01: return isRegister || reg != 5 || prefix == 2
    case 0x12, 0x16: return prefix != 1 || !isRegister
    case 0x13, 0x17, 0x2b, 0xb2, 0xb4, 0xb5, 0xc3, 0xe7, 0xf0: return !isRegister
    // Control registers 0, 2, 3, 4 (8 has REX.R, which is not looked at).
    case 0x20, 0x22: return reg == 0 || reg >= 2 && reg <= 4
    // PadLock has whole bytes for opcodes: C0, C8, …
    case 0xa6, 0xa7: return isRegister && modRM & 7 == 0
    case 0x50, 0xc5, 0xd7, 0xf7: return isRegister
    case 0x71, 0x72: return isRegister && (reg == 2 || reg == 4 || reg == 6)
    case 0x73: return isRegister && (reg == 2 || reg == 6 || prefix == 1 && (reg == 3 || reg == 7))
    case 0x78: return prefix == 0 || isRegister
    case 0xba: return reg >= 4
    case 0xc7: return isRegister ? reg >= 6 : reg != 0 && reg != 2
    case 0xd6: return prefix == 1 || isRegister
    default: return true
    }
  }

  /// 0F 38: forms that exist only with a register, or only with memory.
  @inline(__always)
  static func isDefinedThreeByte(_ opcode: UInt8, _ modRM: UInt8, prefix: UInt8) -> Bool {
    let isRegister = modRM >= 0xc0
    switch opcode {
    case 0x2a, 0x80...0x82, 0xf5, 0xf9: return !isRegister
    // MOVBE has memory; CRC32 (F2) both.
    case 0xf0, 0xf1: return prefix == 3 || !isRegister
    case 0xf6: return prefix != 0 || !isRegister
    case 0xfa, 0xfb: return isRegister
    default: return true
    }
  }

  /// VEX forms that exist only with a register, or only with memory.
  @inline(__always)
  static func isDefinedVector(_ map: UInt8, _ opcode: UInt8, _ modRM: UInt8) -> Bool {
    guard map == 1 else { return true }
    let isRegister = modRM >= 0xc0
    switch opcode {
    case 0x13, 0x17, 0x2b, 0xe7, 0xf0: return !isRegister
    case 0x50, 0xc5, 0xd7, 0xf7, 0x71...0x73: return isRegister
    default: return true
    }
  }

  static func isDefined3DNow(_ opcode: UInt8) -> Bool {
    switch opcode {
    case 0x0c, 0x0d, 0x1c, 0x1d, 0x8a, 0x8e, 0x90, 0x94, 0x96, 0x97, 0x9a, 0x9e, 0xa0, 0xa4, 0xa6, 0xa7, 0xaa,
      0xae, 0xb0, 0xb4, 0xb6, 0xb7, 0xbb, 0xbf:
      return true
    default: return false
    }
  }

  /// LOCK is allowed before instructions that read, change and write memory, and raises #UD before all others
  /// (SDM volume 2, "LOCK").
  static func acceptsLockOneByte(_ opcode: UInt8, _ instruction: Instruction) -> Bool {
    guard instruction.hasModRM, instruction.modRM < 0xc0 else { return false }
    let reg = instruction.modRM >> 3 & 7
    switch opcode {
    case 0x00...0x37: return opcode & 7 < 2
    case 0x80, 0x81, 0x83: return reg != 7
    case 0x86, 0x87: return true
    case 0xf6, 0xf7: return reg == 2 || reg == 3
    case 0xfe, 0xff: return reg < 2
    default: return false
    }
  }

  static func acceptsLockTwoByte(_ opcode: UInt8, _ instruction: Instruction) -> Bool {
    guard instruction.hasModRM, instruction.modRM < 0xc0 else { return false }
    let reg = instruction.modRM >> 3 & 7
    switch opcode {
    case 0xab, 0xb0, 0xb1, 0xb3, 0xbb, 0xc0, 0xc1: return true
    case 0xba: return reg > 4
    case 0xc7: return reg == 1
    default: return false
    }
  }
}
