/// What an opcode does to the flow of control, and which ones do nothing.
extension DecoderCursor {
  @inline(__always)
  mutating func setFlowOneByte(_ opcode: UInt8) {
    switch opcode {
    case 0x70...0x7f, 0xe0...0xe3: result.flow = .conditionalJump
    case 0xe8: result.flow = .call
    case 0xe9, 0xeb: result.flow = .jump
    case 0xc2, 0xc3, 0xca, 0xcb, 0xcf: result.flow = .return
    case 0xcc, 0xf4: result.flow = .stop
    case 0xff:
      switch result.modRM >> 3 & 7 {
      case 2, 3: result.flow = .indirectCall
      case 4, 5: result.flow = .indirectJump
      default: break
      }
    // XBEGIN: the immediate is where an abort leads to.
    case 0xc7 where result.modRM == 0xf8:
      result.flow = .conditionalJump
      result.isRelativeBranch = true
    // F3 90 is PAUSE, and with REX.B it exchanges r8 with rax.
    case 0x90: result.isNop = repeatPrefix != 2 && rex & 1 == 0
    default: break
    }
  }

  @inline(__always)
  mutating func setFlowTwoByte(_ opcode: UInt8) {
    switch opcode {
    case 0x80...0x8f: result.flow = .conditionalJump
    case 0x07, 0x35: result.flow = .return
    case 0x0b, 0xb9, 0xff: result.flow = .stop
    // Only the NOP that assemblers pad with: 0F 1E holds ENDBR64, which marks code.
    case 0x1f: result.isNop = true
    default: break
    }
  }
}
