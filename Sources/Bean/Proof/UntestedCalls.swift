import CKernel

/// A function pointer that becomes null: does code of the old version that the new one does not have call through it
/// without a test? Such code may still run after an update, and the new version's own code gets the null anyway.
///
/// Who has the variable's address is not known, so every read at the word's distance from any pointer counts. What is
/// handed on to another function is not followed there.
struct UntestedCalls {
  private let comparison: Comparison
  /// Functions of the old version without an equal in the new one, not even one that differs in immediates and
  /// branch targets only. nil: not asked for yet.
  private var suspects: [Int]?

  init(_ comparison: Comparison) { self.comparison = comparison }

  /// The first function that may call through the word at `address`, which lies `offsets` behind addresses that are
  /// handed out.
  mutating func first(through address: UInt64, at offsets: [UInt64]) -> Place? {
    let suspects = suspects ?? findSuspects()
    self.suspects = suspects
    let old = comparison.old
    for index in suspects {
      let function = old.code.functions[index]
      guard let bytes = old.file.image.bytes(at: function.range.start, count: function.range.count),
        let flow = ValueFlow(bytes, at: function.range.start, word: address, offsets: offsets), !flow.callsUntested
      else { return old.place(at: function.range.start) }
    }
    return nil
  }

  private func findSuspects() -> [Int] {
    let (old, new, matches) = (comparison.old, comparison.new, comparison.matches)
    var shapes: [UInt64: [RiskSequence]] = [:]
    for index in new.code.functions.indices where matches.oldOfNew[index] < 0 || !matches.isEqual[index] {
      guard let sequence = RiskSequence(new, new.code.functions[index]) else { continue }
      shapes[sequence.hash, default: []].append(sequence)
    }
    var found: [Int] = []
    for index in old.code.functions.indices where !old.code.functions[index].isLinkage {
      let match = Int(matches.newOfOld[index])
      if match >= 0, matches.isEqual[match] { continue }
      guard let sequence = RiskSequence(old, old.code.functions[index]),
        let candidates = shapes[sequence.hash], candidates.contains(where: { sequence.usesSameFields(as: $0) })
      else {
        found.append(index)
        continue
      }
    }
    return found
  }
}

extension RiskSequence {
  /// The same steps, with the same displacements.
  func usesSameFields(as other: RiskSequence) -> Bool {
    guard steps.count == other.steps.count else { return false }
    for index in steps.indices {
      let (a, b) = (steps[index], other.steps[index])
      if a.key != b.key || a.isField != b.isField || a.displacement != b.displacement { return false }
    }
    return true
  }
}

/// What one function does with a word that it reads: paths are followed from each read until the value is tested, is
/// overwritten or leaves the function.
struct ValueFlow {
  private struct State: Hashable {
    let offset: Int
    /// Registers that hold the value, a bit each.
    let registers: UInt16
  }

  private let bytes: Bytes
  private let start: UInt64
  private let word: UInt64
  private let offsets: [UInt64]
  /// Where reads of the word end, and the register.
  private var reads: [State] = []
  /// Registers off which the word is compared with a constant somewhere in the function.
  private var compared: UInt16 = 0
  /// The same, directly.
  private var isCompared = false
  /// Calls and jumps through the word itself: the base register of each; nil: none.
  private var called: [UInt8?] = []

  /// nil where the bytes are no code.
  init?(_ bytes: Bytes, at start: UInt64, word: UInt64, offsets: [UInt64]) {
    (self.bytes, self.start, self.word, self.offsets) = (bytes, start, word, offsets)
    var position = 0
    while position < bytes.count {
      guard let instruction = InstructionDecoder.decode(bytes, at: position), instruction.length != 0 else {
        return nil
      }
      note(RiskEncoding(instruction: instruction, bytes: bytes, start: position))
      position += Int(instruction.length)
    }
  }

  private mutating func note(_ encoding: RiskEncoding) {
    let instruction = encoding.instruction
    guard encoding.hasMemory, !instruction.isNop, instruction.encoding == .legacy, instruction.map == 0,
      isWord(encoding)
    else { return }
    let end = encoding.start + Int(instruction.length)
    switch instruction.opcode {
    case 0x8b where instruction.isWide:
      reads.append(State(offset: end, registers: 1 << UInt16(encoding.register)))
    case 0x81 where instruction.modRM >> 3 & 7 == 7, 0x83 where instruction.modRM >> 3 & 7 == 7:
      if let base = encoding.base { compared |= 1 << UInt16(base) } else { isCompared = true }
    case 0xff where instruction.flow == .indirectCall || instruction.flow == .indirectJump:
      called.append(encoding.base)
    default: break
    }
  }

  /// Does the memory operand reach the word, or may it?
  private func isWord(_ encoding: RiskEncoding) -> Bool {
    if encoding.instruction.isRIPRelative {
      let end = start &+ UInt64(encoding.start) &+ UInt64(encoding.instruction.length)
      return end &+ UInt64(bitPattern: Int64(encoding.displacement)) == word
    }
    guard let base = encoding.base, base != RiskEncoding.stackPointer else { return false }
    return offsets.contains(UInt64(bitPattern: Int64(encoding.displacement)))
  }

  var callsUntested: Bool {
    for base in called {
      if let base { if compared & 1 << UInt16(base) == 0 { return true } } else if !isCompared { return true }
    }
    for read in reads where isCalled(from: read) { return true }
    return false
  }

  /// More states than functions have is a function that is not understood.
  private static var maximumStates: Int { 1 << 14 }

  private func isCalled(from read: State) -> Bool {
    var pending = [read]
    var seen: Set<State> = [read]
    while let state = pending.popLast() {
      guard seen.count < ValueFlow.maximumStates else { return true }
      guard state.offset < bytes.count, let instruction = InstructionDecoder.decode(bytes, at: state.offset),
        instruction.length != 0
      else { continue }
      let encoding = RiskEncoding(instruction: instruction, bytes: bytes, start: state.offset)
      let effect = encoding.effect(on: state.registers)
      if effect == .call { return true }
      guard case .holds(let registers) = effect, registers != 0 else { continue }
      let next = state.offset + Int(instruction.length)
      var targets: [Int] = []
      switch instruction.flow {
      case .next, .call, .indirectCall: targets = [next]
      case .conditionalJump: targets = [next, next &+ Int(truncatingIfNeeded: encoding.immediate)]
      case .jump: targets = [next &+ Int(truncatingIfNeeded: encoding.immediate)]
      // A table of jumps: where it leads is not known.
      case .indirectJump: return true
      case .return, .stop: break
      }
      for target in targets where target >= 0 && target < bytes.count {
        let after = State(offset: target, registers: registers)
        if seen.insert(after).inserted { pending.append(after) }
      }
    }
    return false
  }
}
