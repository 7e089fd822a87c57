/// What an instruction makes of a value that some registers hold.
enum RegisterEffect: Equatable {
  /// It is in these registers now, a bit each.
  case holds(UInt16)
  /// It is looked at, or used as the address of data.
  case tested
  /// Control goes there.
  case call
}

extension RiskEncoding {
  static var stackPointer: UInt8 { 4 }

  /// RAX, RCX, RDX, RSI, RDI, R8 to R11: calls change them (System V ABI, "Register Usage").
  private static var callerSaved: UInt16 { 0x0fc7 }

  /// LEA: no access.
  var isAddress: Bool { instruction.encoding == .legacy && instruction.map == 0 && instruction.opcode == 0x8d }

  /// Where an instruction is not known to change a register, the value is taken to stay in it.
  func effect(on held: UInt16) -> RegisterEffect {
    switch instruction.flow {
    case .call: return .holds(held & ~RiskEncoding.callerSaved)
    case .indirectCall, .indirectJump:
      if let operand, held & 1 << UInt16(operand) != 0 { return .call }
      if let base, held & 1 << UInt16(base) != 0 { return .tested }
      return .holds(instruction.flow == .indirectCall ? held & ~RiskEncoding.callerSaved : held)
    default: break
    }
    if let base, held & 1 << UInt16(base) != 0, !instruction.isNop, !isAddress { return .tested }
    guard instruction.encoding == .legacy else { return .holds(held) }
    switch instruction.map {
    case 0: return oneByte(held)
    case 1: return twoByte(held)
    default: return .holds(held)
    }
  }

  private func oneByte(_ held: UInt16) -> RegisterEffect {
    let target = UInt16(1) << UInt16(register)
    switch instruction.opcode {
    case 0x85: return operand == register && held & target != 0 ? .tested : .holds(held)
    case 0x81, 0x83:
      guard instruction.modRM >> 3 & 7 == 7, let operand, held & 1 << UInt16(operand) != 0 else {
        return .holds(held)
      }
      return .tested
    case 0x89:
      guard let operand else { return .holds(held) }
      let copy = UInt16(1) << UInt16(operand)
      return .holds(held & target != 0 ? held | copy : held & ~copy)
    case 0x8b:
      guard let operand, held & 1 << UInt16(operand) != 0 else { return .holds(held & ~target) }
      return .holds(held | target)
    case 0x63, 0x69, 0x6b, 0x8d: return .holds(held & ~target)
    case 0x29, 0x2b, 0x31, 0x33: return .holds(operand == register ? held & ~target : held)
    case 0x58...0x5f, 0xb8...0xbf: return .holds(held & ~(1 << UInt16(opcodeRegister)))
    case 0xc7:
      guard let operand else { return .holds(held) }
      return .holds(held & ~(1 << UInt16(operand)))
    default: return .holds(held)
    }
  }

  private func twoByte(_ held: UInt16) -> RegisterEffect {
    let target = UInt16(1) << UInt16(register)
    switch instruction.opcode {
    case 0x40...0x4f:
      guard let operand, held & 1 << UInt16(operand) != 0 else { return .holds(held) }
      return .holds(held | target)
    case 0xaf, 0xb6, 0xb7, 0xbe, 0xbf: return .holds(held & ~target)
    default: return .holds(held)
    }
  }
}
