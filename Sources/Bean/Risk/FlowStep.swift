/// One instruction, decoded as far as the flow of pointers through a function shows in it: each is gone through several
/// times.
struct FlowStep {
  /// Offset in the function, and of what follows.
  let place: Int32
  let end: Int32
  let effect: FlowEffect
  let flow: Instruction.Flow
  let isNop: Bool
  private let isWide: Bool
  private let isRegister: Bool
  private let isRIPRelative: Bool
  private let hasIndex: Bool
  /// ModRM.reg and ModRM.rm as registers.
  private let register: UInt8
  private let operand: UInt8
  /// Of the memory operand; 0xff: none.
  private let anyBase: UInt8
  let displacement: Int32
  let immediate: Int64
  /// JMP, Jcc or CALL with a relative target.
  let isRelative: Bool
  /// LOOP and its like, which count in RCX.
  let counts: Bool
  /// Where it jumps to, as the index of a step of the same function; -1: nowhere inside.
  var target: Int32 = -1

  init(_ encoding: RiskEncoding) {
    let instruction = encoding.instruction
    place = Int32(truncatingIfNeeded: encoding.start)
    end = place &+ Int32(instruction.length)
    flow = instruction.flow
    effect = FlowEffect(encoding)
    isNop = instruction.isNop
    isWide = instruction.isWide
    isRegister = instruction.hasModRM && instruction.modRM >= 0xc0
    isRIPRelative = instruction.isRIPRelative
    hasIndex = encoding.hasIndex
    register = instruction.hasModRM ? encoding.register : 0
    operand = encoding.operand ?? 0
    anyBase = encoding.hasMemory && !instruction.isRIPRelative ? encoding.anyBase ?? 0xff : 0xff
    displacement = encoding.displacement
    immediate = encoding.immediate
    isRelative = instruction.isRelativeBranch
    counts = instruction.flow == .conditionalJump && instruction.opcode & 0xfc == 0xe0
  }

  /// The register that an indirect jump goes to.
  var jumpRegister: Int? { isRegister ? Int(operand) : nil }
  /// The slot that it goes through, as a distance from the function's start.
  var slot: Int64? { isRIPRelative ? Int64(end) &+ Int64(displacement) : nil }
  /// The register that a field's displacement counts from.
  var fieldBase: Int? { anyBase == 0xff || hasIndex ? nil : Int(anyBase) }

  /// Past an instruction that falls through and is no call.
  func apply(to state: inout FlowState) {
    var result = FlowValue.unknown
    switch effect.action {
    case .none: break
    case .zero: result = FlowValue(.constant, 0)
    case .constant: result = FlowValue(.constant, immediate)
    case .load:
      result = moved(read(state))
      note(result, to: Int(register), &state)
    case .store:
      result = moved(state.registers[Int(register)])
      note(result, to: isRegister ? Int(operand) : nil, &state)
    case .address: result = address(&state)
    case .sum: result = sum(state)
    case .element: result = element(state)
    case .push: return push(state.registers[Int(effect.target)], &state)
    case .pushOther: return push(.unknown, &state)
    case .pop: result = pop(&state)
    case .leave:
      state.registers[FlowState.stackPointer] = state.registers[FlowState.framePointer]
      state.registers[FlowState.framePointer] = pop(&state)
      return
    case .adjust: return adjust(&state)
    }
    if effect.written != 0 { write(result, &state) }
    if effect.writesElsewhere { state.forgetWords() }
    let mask = effect.changed | effect.doubtful
    if mask == 0 { return }
    state.forget(mask)
    if effect.action != .none, effect.written == 0 { state.registers[Int(effect.target)] = result }
    if mask & 1 << UInt16(FlowState.stackPointer) != 0, !state.registers[FlowState.stackPointer].isFrame {
      state.forgetWords()
    }
  }

  /// Where the memory operand lies in the frame; nil: elsewhere, or not known.
  private func frame(_ state: borrowing FlowState) -> Int64? {
    guard let base = fieldBase, state.registers[base].isFrame else { return nil }
    return state.registers[base].number &+ Int64(displacement)
  }

  /// Half a pointer is none, half a constant may be one.
  private func moved(_ value: FlowValue) -> FlowValue { isWide || value.kind == .constant ? value : .unknown }

  /// An address in the frame that goes elsewhere than to the frame pointer may be written through.
  private func note(_ value: FlowValue, to register: Int?, _ state: inout FlowState) {
    if value.isFrame, register != FlowState.framePointer, register != FlowState.stackPointer {
      state.take(value.number)
    }
  }

  private func read(_ state: borrowing FlowState) -> FlowValue {
    if isRegister { return state.registers[Int(operand)] }
    guard isWide, let place = frame(state) else { return .unknown }
    return state.word(at: place)
  }

  private func write(_ value: FlowValue, _ state: inout FlowState) {
    if let place = frame(state) {
      state.store(isWide ? value : .unknown, at: place, size: Int64(effect.written))
    } else if anyBase != 0xff {
      let base = state.registers[Int(anyBase)]
      switch base.kind {
      // What the function was given lies above its frame, and code and tables elsewhere.
      case .parameter, .address: break
      case .frame: state.forget(from: base.number &+ Int64(displacement))
      default: state.forgetTaken()
      }
    } else if !isRIPRelative {
      state.forgetTaken()
    }
  }

  private func push(_ value: FlowValue, _ state: inout FlowState) {
    let top = state.registers[FlowState.stackPointer]
    guard top.isFrame else { return state.forgetWords() }
    state.registers[FlowState.stackPointer] = FlowValue(.frame, top.number &- 8)
    state.store(value, at: top.number &- 8, size: 8)
  }

  private func pop(_ state: inout FlowState) -> FlowValue {
    let top = state.registers[FlowState.stackPointer]
    guard top.isFrame else { return .unknown }
    state.registers[FlowState.stackPointer] = FlowValue(.frame, top.number &+ 8)
    return state.word(at: top.number)
  }

  /// ADD is 81 /0 and 83 /0, SUB /5.
  private func adjust(_ state: inout FlowState) {
    let top = state.registers[FlowState.stackPointer]
    guard top.isFrame else { return state.forgetWords() }
    let distance = register & 7 == 0 ? immediate : 0 &- immediate
    state.registers[FlowState.stackPointer] = FlowValue(.frame, top.number &+ distance)
  }

  /// ADD of a table's address and a number out of it.
  private func sum(_ state: borrowing FlowState) -> FlowValue {
    let (a, b) = (state.registers[Int(register)], state.registers[Int(operand)])
    let isTable = a.kind == .address && b.kind == .distance || a.kind == .distance && b.kind == .address
    return isTable && a.number == b.number ? FlowValue(.destination, a.number) : .unknown
  }

  /// MOVSXD of an element of an array.
  private func element(_ state: borrowing FlowState) -> FlowValue {
    guard hasIndex, displacement == 0, anyBase != 0xff, state.registers[Int(anyBase)].kind == .address else {
      return .unknown
    }
    return FlowValue(.distance, state.registers[Int(anyBase)].number)
  }

  private func address(_ state: inout FlowState) -> FlowValue {
    var value = FlowValue.unknown
    if let slot {
      value = FlowValue(.address, slot)
    } else if let place = frame(state) {
      value = FlowValue(.frame, place)
      if Int(effect.target) != FlowState.stackPointer { state.take(place) }
    } else if anyBase != 0xff {
      let start = state.registers[Int(anyBase)]
      // An array in the frame.
      if start.isFrame { state.take(start.number &+ Int64(displacement)) }
      if !hasIndex, displacement == 0 { value = start }
    }
    return moved(value)
  }
}
