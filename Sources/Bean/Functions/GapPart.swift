/// A part of a gap that is decoded from its start to its end and divided into functions.
///
/// A function may begin behind padding, or behind an instruction that execution does not go on from; it does not
/// where a jump leads across, since the two sides then belong together.
struct GapPart {
  /// Offsets [start, end) in the part.
  struct Run: Equatable {
    var start: Int
    var end: Int
  }

  let code: Bytes
  let base: UInt64
  /// Padding behind code.
  private(set) var padding: [Run] = []
  /// Code between padding, ascending.
  private var blocks: [Run] = []
  /// What jumps span: from the lower to the higher of instruction and target.
  private var spans: [Run] = []
  private var callTargets: [Int] = []

  init(_ code: Bytes, base: UInt64) {
    self.code = code
    self.base = base
  }

  /// Length of the run of NOPs, INT3 and zeros at `offset`.
  static func paddingLength(_ code: Bytes, from offset: Int) -> Int {
    var position = offset
    while position < code.count {
      if code[position] == 0 || code[position] == 0xcc {
        position = position &+ 1
      } else if case let length = code.usualNopLength(at: position), length != 0 {
        position = position &+ length
      } else if let instruction = InstructionDecoder.decode(code, at: position), instruction.isNop {
        position = position &+ Int(instruction.length)
      } else {
        break
      }
    }
    return position &- offset
  }

  /// False where something is no instruction, or the last one reaches beyond the end.
  mutating func decode(from first: Int) -> Bool {
    var offset = first
    var start = first
    while offset < code.count {
      guard let instruction = InstructionDecoder.decode(code, at: offset) else { return false }
      note(instruction, at: offset)
      offset = offset &+ Int(instruction.length)
      switch instruction.flow {
      case .jump, .indirectJump, .return, .stop:
        blocks.append(Run(start: start, end: offset))
        let pad = GapPart.paddingLength(code, from: offset)
        if pad != 0 { padding.append(Run(start: offset, end: offset &+ pad)) }
        offset = offset &+ pad
        start = offset
      default: break
      }
    }
    if start < offset { blocks.append(Run(start: start, end: offset)) }
    return true
  }

  private mutating func note(_ instruction: Instruction, at offset: Int) {
    guard let address = instruction.target(in: code, at: offset, base: base), address >= base,
      address &- base < UInt64(code.count)
    else { return }
    let target = Int(address &- base)
    if instruction.flow == .call {
      callTargets.append(target)
    } else {
      spans.append(Run(start: min(offset, target), end: max(offset, target)))
    }
  }

  /// The functions, ascending. Padding that turns out to lie inside one is part of it.
  mutating func functions() -> [Run] {
    spans.sort { $0.start < $1.start }
    callTargets.sort()
    var result: [Run] = []
    var span = 0
    var call = 0
    // The farthest end of all spans that begin below the block.
    var reach = -1
    for block in blocks {
      while span < spans.count, spans[span].start < block.start {
        reach = max(reach, spans[span].end)
        span &+= 1
      }
      while call < callTargets.count, callTargets[call] < block.start { call &+= 1 }
      let isCalled = call < callTargets.count && callTargets[call] == block.start
      if let last = result.last, reach >= block.start, !isCalled {
        result[result.count &- 1] = Run(start: last.start, end: block.end)
      } else {
        result.append(block)
      }
    }
    dropInnerPadding(result)
    return result
  }

  private mutating func dropInnerPadding(_ functions: [Run]) {
    var index = 0
    var outer: [Run] = []
    for run in padding {
      while index < functions.count, functions[index].end <= run.start { index &+= 1 }
      if index < functions.count, functions[index].start < run.start { continue }
      outer.append(run)
    }
    padding = outer
  }
}

extension Bytes {
  /// Length of a NOP as assemblers write them between functions: 66, 2E, then 90 or 0F 1F with the ModRM bytes that fill
  /// in least; 0: another instruction, which the decoder knows. There is one after nearly every function.
  func usualNopLength(at offset: Int) -> Int {
    var place = offset
    while self[place] == 0x66, place &- offset < 6 { place &+= 1 }
    if self[place] == 0x90, place < count { return place &- offset &+ 1 }
    if self[place] == 0x2e { place &+= 1 }
    guard self[place] == 0x0f, self[place &+ 1] == 0x1f, place &+ 2 < count else { return 0 }
    let length =
      switch self[place &+ 2] {
      case 0x00: 3
      case 0x40: 4
      case 0x44: 5
      case 0x80: 7
      case 0x84: 8
      default: 0
      }
    guard length != 0, place &+ length <= count else { return 0 }
    return place &- offset &+ length
  }
}
