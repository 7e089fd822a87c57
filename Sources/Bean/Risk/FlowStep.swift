/// What instructions do to registers and the stack frame (Intel SDM volume 2). What is not listed here may have
/// changed everything.
struct FlowStep {
  let encoding: RiskEncoding
  private let rex: UInt8
  private var instruction: Instruction { encoding.instruction }

  init(_ encoding: RiskEncoding) {
    self.encoding = encoding
    rex = encoding.rex
  }

  private var isRegister: Bool { instruction.modRM >= 0xc0 }
  /// ModRM.reg and ModRM.rm as registers.
  private var first: Int { Int(instruction.modRM >> 3 & 7 | (rex & 4) << 1) }
  private var second: Int { Int(instruction.modRM & 7 | (rex & 1) << 3) }
  private var digit: UInt8 { instruction.modRM >> 3 & 7 }

  func apply(to state: inout FlowState) {
    if instruction.isNop { return }
    switch (instruction.encoding, instruction.map) {
    case (.legacy, 0): oneByte(&state)
    case (.legacy, 1): twoByte(&state)
    default: vector(&state)
    }
  }

  /// The registers that it changes.
  var changes: UInt16 {
    var state = FlowState()
    for register in 0..<16 { state.registers[register] = FlowValue(kind: .parameter, number: Int64(16 + register)) }
    apply(to: &state)
    var mask: UInt16 = 0
    for register in 0..<16 where state.registers[register].number != Int64(16 + register) {
      mask |= 1 << UInt16(register)
    }
    return mask
  }

  /// Where the memory operand lies in the frame; nil: elsewhere, or not known.
  func place(in state: borrowing FlowState) -> Int64? {
    guard let base = encoding.base, state.registers[Int(base)].isFrame else { return nil }
    return state.registers[Int(base)].number &+ Int64(encoding.displacement)
  }

  // MARK: One byte of opcode

  private func oneByte(_ state: inout FlowState) {
    let opcode = instruction.opcode
    switch opcode {
    case 0x38...0x3d, 0x84, 0x85, 0xa8, 0xa9, 0x70...0x7f: return
    case 0x31 where isRegister && first == second, 0x33 where isRegister && first == second:
      state.registers[first] = .constant(0)
    case 0x01 where isRegister: state.registers[second] = sum(state)
    case 0x03 where isRegister: state.registers[first] = sum(state)
    case 0x63: state.registers[first] = entry(state)
    case 0x00...0x37:
      switch opcode & 7 {
      case 0, 1: write(.unknown, &state)
      case 2, 3: state.forget(first)
      default: state.forget(0)
      }
    case 0x50...0x57: push(state.registers[opcodeRegister], &state)
    case 0x68, 0x6a: push(.unknown, &state)
    case 0x58...0x5f: pop(to: opcodeRegister, &state)
    case 0x69, 0x6b, 0x8a: state.forget(first)
    case 0x80, 0x81, 0x83: group(&state)
    case 0x88, 0xc0, 0xc1, 0xc6, 0xd0...0xd3, 0xfe: write(.unknown, &state)
    case 0x89:
      let value = moved(state.registers[first])
      note(value, to: isRegister ? second : nil, &state)
      write(value, &state)
    case 0x8b:
      let value = moved(read(state))
      note(value, to: first, &state)
      state.registers[first] = value
    case 0x8d: address(&state)
    case 0xb8...0xbf: state.registers[opcodeRegister] = .constant(encoding.immediate)
    case 0xc7: write(isRegister ? .constant(encoding.immediate) : .unknown, &state)
    case 0x98: state.forget(0)
    case 0x99: state.forget(2)
    case 0xc9: leave(&state)
    case 0xf6, 0xf7:
      if digit > 3 {
        state.forget(0)
        state.forget(2)
      } else if digit > 1 {
        write(.unknown, &state)
      }
    case 0xff where digit < 2: write(.unknown, &state)
    case 0xff where digit == 6: push(.unknown, &state)
    case 0xa4...0xa7, 0xaa...0xaf:
      for register in [0, 1, 6, 7] { state.forget(register) }
      state.forgetWords()
    default: state.forgetAll()
    }
  }

  /// Opcodes that hold a register in their low bits.
  private var opcodeRegister: Int { Int(instruction.opcode & 7 | (rex & 1) << 3) }

  /// Half a pointer is none, half a constant may be one.
  private func moved(_ value: FlowValue) -> FlowValue {
    instruction.isWide || value.kind == .constant ? value : .unknown
  }

  /// An address in the frame that goes elsewhere than to the frame pointer may be written through.
  private func note(_ value: FlowValue, to register: Int?, _ state: inout FlowState) {
    if value.isFrame, register != FlowState.framePointer, register != FlowState.stackPointer {
      state.take(value.number)
    }
  }

  private func read(_ state: borrowing FlowState) -> FlowValue {
    if isRegister { return state.registers[second] }
    guard instruction.isWide, let place = place(in: state) else { return .unknown }
    return state.word(at: place)
  }

  /// To ModRM.rm.
  private func write(_ value: FlowValue, _ state: inout FlowState, size: Int64 = 8) {
    if isRegister {
      state.registers[second] = value
      return
    }
    if let place = place(in: state) {
      state.store(instruction.isWide ? value : .unknown, at: place, size: size)
    } else if let base = encoding.anyBase {
      switch state.registers[Int(base)].kind {
      case .parameter: break
      case .frame: state.forget(from: state.registers[Int(base)].number &+ Int64(encoding.displacement))
      case .address: break
      default: state.forgetTaken()
      }
    }
  }

  private func push(_ value: FlowValue, _ state: inout FlowState) {
    guard move(FlowState.stackPointer, by: -8, &state) else { return state.forgetWords() }
    state.store(value, at: state.registers[FlowState.stackPointer].number, size: 8)
  }

  private func pop(to register: Int, _ state: inout FlowState) {
    let top = state.registers[FlowState.stackPointer]
    let value = top.isFrame ? state.word(at: top.number) : .unknown
    _ = move(FlowState.stackPointer, by: 8, &state)
    state.registers[register] = value
  }

  private func leave(_ state: inout FlowState) {
    let frame = state.registers[FlowState.framePointer]
    state.registers[FlowState.stackPointer] = frame
    pop(to: FlowState.framePointer, &state)
  }

  private func move(_ register: Int, by distance: Int64, _ state: inout FlowState) -> Bool {
    guard state.registers[register].isFrame else { return false }
    state.registers[register].number &+= distance
    return true
  }

  /// ADD, SUB and so on with an immediate. CMP changes nothing.
  private func group(_ state: inout FlowState) {
    if digit == 7 { return }
    if isRegister, second == FlowState.stackPointer, digit == 0 || digit == 5 {
      let distance = digit == 0 ? encoding.immediate : 0 &- encoding.immediate
      if !move(second, by: distance, &state) { state.forgetWords() }
      return
    }
    write(.unknown, &state)
    if isRegister, second == FlowState.stackPointer { state.forgetWords() }
  }

  /// ADD of a table's address and a number out of it.
  private func sum(_ state: borrowing FlowState) -> FlowValue {
    let (a, b) = (state.registers[first], state.registers[second])
    let isTable = a.kind == .address && b.kind == .distance || a.kind == .distance && b.kind == .address
    return isTable && a.number == b.number ? FlowValue(kind: .destination, number: a.number) : .unknown
  }

  /// MOVSXD of an element of an array.
  private func entry(_ state: borrowing FlowState) -> FlowValue {
    guard !isRegister, encoding.base == nil, encoding.displacement == 0, let base = encoding.anyBase,
      state.registers[Int(base)].kind == .address
    else { return .unknown }
    return FlowValue(kind: .distance, number: state.registers[Int(base)].number)
  }

  /// The register that an indirect jump goes to.
  var register: Int? { isRegister ? second : nil }

  private func address(_ state: inout FlowState) {
    var value = FlowValue.unknown
    if instruction.isRIPRelative {
      value = .address(Int64(encoding.start) &+ Int64(instruction.length) &+ Int64(encoding.displacement))
    }
    if let place = place(in: state) {
      value = .frame(place)
      if first != FlowState.stackPointer { state.take(place) }
    } else if let base = encoding.anyBase {
      // The start of an array in the frame.
      let start = state.registers[Int(base)]
      if start.isFrame { state.take(start.number &+ Int64(encoding.displacement)) }
      if encoding.base != nil, encoding.displacement == 0 { value = start }
    }
    state.registers[first] = moved(value)
  }

  // MARK: Others

  private func twoByte(_ state: inout FlowState) {
    switch instruction.opcode {
    // Hints, prefetches, branches, TEST of a bit, fences.
    case 0x0d, 0x18...0x1f, 0x77, 0x80...0x8f, 0xa3: return
    case 0x05:
      for register in [0, 1, 11] { state.forget(register) }
    case 0x11, 0x13, 0x17, 0x29, 0x2b, 0x7f, 0xd6, 0xe7:
      if !isRegister { write(.unknown, &state, size: 16) }
    case 0x7e: write(.unknown, &state)
    case 0x2c, 0x2d, 0x50, 0xc5, 0xd7: state.forget(first)
    case 0x10, 0x12, 0x14...0x16, 0x28, 0x2a, 0x2e, 0x2f, 0x51...0x76, 0xc2, 0xc4, 0xc6, 0xd0...0xff: return
    case 0x40...0x4f, 0xaf, 0xb6...0xb8, 0xbc...0xbf: state.forget(first)
    case 0x90...0x9f, 0xa4, 0xa5, 0xab...0xad, 0xb3, 0xbb, 0xc3: write(.unknown, &state)
    case 0xba: if digit != 4 { write(.unknown, &state) }
    case 0xb0, 0xb1, 0xc0, 0xc1:
      state.forget(0)
      state.forget(first)
      write(.unknown, &state)
    case 0xc8...0xcf: state.forget(opcodeRegister)
    default: state.forgetAll()
    }
  }

  /// Instructions of vectors, and what is written like them: a general register that is written is named by ModRM,
  /// but for those of BMI (maps 0F38 and 0F3A from F0 on).
  private func vector(_ state: inout FlowState) {
    if instruction.map != 1, instruction.opcode >= 0xf0 || instruction.encoding == .xop { return state.forgetAll() }
    guard instruction.hasModRM else { return instruction.opcode == 0x77 ? () : state.forgetAll() }
    for register in [Int(digit), Int(digit) + 8] where register != FlowState.stackPointer { state.forget(register) }
    if !isRegister { return write(.unknown, &state, size: 64) }
    let low = Int(instruction.modRM & 7)
    for register in [low, low + 8] where register != FlowState.stackPointer { state.forget(register) }
  }
}
