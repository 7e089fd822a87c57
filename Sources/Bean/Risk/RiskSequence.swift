/// A function as a sequence of steps, without NOPs: two versions of it can be laid side by side.
struct RiskSequence {
  private(set) var steps: [RiskStep] = []
  /// Of all keys.
  private(set) var hash: UInt64 = 0

  /// Larger functions are not looked at: one step takes several times the bytes of a short instruction.
  static var maximumSize: UInt64 { 1 << 18 }

  /// nil where the function is too large, or holds what is no code.
  init?(_ binary: Binary, _ function: CodeTable.Function) {
    guard function.isDecoded, function.range.count <= RiskSequence.maximumSize,
      let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count)
    else { return nil }
    var total = CodeHash()
    var offset = 0
    var hasFrame = false
    steps.reserveCapacity(bytes.count / 4)
    while offset < bytes.count {
      guard let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.length != 0 else {
        return nil
      }
      if !instruction.isNop {
        let encoding = RiskEncoding(instruction: instruction, bytes: bytes, start: offset)
        hasFrame = hasFrame || encoding.setsFramePointer
        let step = encoding.step(at: function.range.start &+ UInt64(offset), in: function.range, hasFrame: hasFrame)
        total.combine(step.key)
        steps.append(step)
      }
      offset &+= Int(instruction.length)
    }
    hash = total.value
  }

  /// Numbers of steps that are the same at both ends; together they never exceed the shorter sequence.
  func common(with other: RiskSequence) -> (head: Int, tail: Int) {
    let limit = min(steps.count, other.steps.count)
    var head = 0
    while head < limit, steps[head].key == other.steps[head].key { head &+= 1 }
    var tail = 0
    while tail < limit &- head,
      steps[steps.count &- 1 &- tail].key == other.steps[other.steps.count &- 1 &- tail].key
    {
      tail &+= 1
    }
    return (head, tail)
  }
}

extension RiskEncoding {
  /// MOV RBP, RSP in both encodings, or LEA RBP, [RSP + displacement].
  var setsFramePointer: Bool {
    guard instruction.encoding == .legacy, instruction.map == 0, instruction.isWide, instruction.hasModRM else {
      return false
    }
    switch instruction.opcode {
    case 0x89: return instruction.modRM == 0xe5 && isPlainWide
    case 0x8b: return instruction.modRM == 0xec && isPlainWide
    case 0x8d: return instruction.modRM >> 3 & 7 == 5 && base == 4 && isPlainWide
    default: return false
    }
  }

  /// REX is W alone.
  private var isPlainWide: Bool { modRMOffset >= 2 && bytes[start &+ modRMOffset &- 2] == 0x48 }

  func step(at address: UInt64, in range: AddressRange, hasFrame: Bool) -> RiskStep {
    var step = RiskStep()
    step.key = key
    step.place = Int32(truncatingIfNeeded: start)
    // EVEX scales its short displacements. LEA calculates as well as it takes addresses.
    if let base, base != 4, !(base == 5 && hasFrame), instruction.encoding != .evex,
      !(instruction.map == 0 && instruction.opcode == 0x8d)
    {
      step.isField = true
      step.displacement = displacement
    }
    setFlow(&step, address &+ UInt64(instruction.length), range)
    return step
  }

  /// A jump out of the function is a call, too: the last thing that it does.
  private func setFlow(_ step: inout RiskStep, _ end: UInt64, _ range: AddressRange) {
    switch instruction.flow {
    case .next: setConstant(&step)
    case .call, .jump:
      step.value = end &+ UInt64(bitPattern: immediate)
      step.kind = instruction.flow == .jump && range.contains(step.value) ? .jump : .call
    case .indirectCall, .indirectJump:
      if instruction.isRIPRelative {
        step.kind = .slotCall
        step.value = end &+ UInt64(bitPattern: Int64(displacement))
      } else {
        step.kind = .pointerCall
      }
    default: step.kind = .jump
    }
  }

  /// B8+r without REX.B, and C7 /0 with a register: argument registers are below R8 where sizes are passed.
  private func setConstant(_ step: inout RiskStep) {
    guard instruction.encoding == .legacy, instruction.map == 0, instruction.immediateSize >= 4 else { return }
    switch instruction.opcode {
    case 0xb8...0xbf:
      let before = Int(instruction.immediateOffset) &- 2
      if before >= 0, bytes[start &+ before] & 0xf1 == 0x41 { return }
      step.register = instruction.opcode & 7
    case 0xc7 where instruction.modRM >= 0xc0:
      if modRMOffset >= 2, bytes[start &+ modRMOffset &- 2] & 0xf1 == 0x41 { return }
      step.register = instruction.modRM & 7
    default: return
    }
    step.kind = .constant
    step.value = UInt64(bitPattern: immediate) & (instruction.isWide ? UInt64.max : UInt64(UInt32.max))
  }
}
