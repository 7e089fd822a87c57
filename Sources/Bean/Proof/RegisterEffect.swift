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
    let changes = FlowEffect(self)
    let source = instruction.hasModRM ? UInt16(1) << UInt16(register) : 0
    let other = operand.map { UInt16(1) << UInt16($0) } ?? 0
    switch (instruction.encoding, instruction.map, instruction.opcode) {
    case (.legacy, 0, 0x85): return source == other && held & source != 0 ? .tested : .holds(held)
    case (.legacy, 0, 0x81), (.legacy, 0, 0x83):
      return instruction.modRM >> 3 & 7 == 7 && held & other != 0 ? .tested : .holds(held & ~changes.changed)
    case (.legacy, 0, 0x89): return .holds(held & source != 0 ? held | other : held & ~other)
    case (.legacy, 0, 0x8b): return .holds(held & other != 0 ? held | source : held & ~source)
    case (.legacy, 1, 0x40...0x4f): return .holds(held & other != 0 ? held | source : held)
    default: return .holds(held & ~changes.changed)
    }
  }
}
