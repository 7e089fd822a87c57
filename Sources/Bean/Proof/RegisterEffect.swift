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
    case .next: break
    default: return .holds(held)
    }
    if let base, held & 1 << UInt16(base) != 0, !instruction.isNop, !isAddress { return .tested }
    guard instruction.encoding == .legacy, instruction.hasModRM else { return left(of: held) }
    let target = UInt16(1) << UInt16(register)
    let other = operand.map { UInt16(1) << UInt16($0) } ?? 0
    switch (instruction.map, instruction.opcode) {
    case (0, 0x85): return target == other && held & target != 0 ? .tested : .holds(held)
    case (0, 0x81), (0, 0x83):
      return instruction.modRM >> 3 & 7 == 7 && held & other != 0 ? .tested : left(of: held)
    case (0, 0x89): return .holds(held & target != 0 ? held | other : held & ~other)
    case (0, 0x8b): return .holds(held & other != 0 ? held | target : held & ~target)
    case (1, 0x40...0x4f): return .holds(held & other != 0 ? held | target : held)
    default: return left(of: held)
    }
  }

  /// An instruction that may change anything, as far as is known, is taken to change nothing.
  private func left(of held: UInt16) -> RegisterEffect {
    let changed = FlowStep(self).changes
    return .holds(changed.nonzeroBitCount > 4 ? held : held & ~changed)
  }
}
