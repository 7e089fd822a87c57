/// What an instruction that falls through does to general registers and to memory (Intel SDM volume 2): the one place
/// that knows. Which value a register has afterwards is told for the few instructions that pass pointers on.
struct FlowEffect {
  enum Action: UInt8 {
    case none
    /// ModRM.reg becomes 0; a constant goes to `target`.
    case zero, constant
    /// MOV to ModRM.reg, to ModRM.rm.
    case load, store
    case address
    case push, pushOther, pop, leave
    /// ADD or SUB of a constant and RSP.
    case adjust
    /// ADD to `target`; MOVSXD of an element of an array.
    case sum, element
  }

  /// They hold something else afterwards, a bit each. RSP is not among them where the action says what becomes of it.
  private(set) var changed: UInt16 = 0
  /// They may.
  private(set) var doubtful: UInt16 = 0
  /// Bytes from the memory operand on that may be written.
  private(set) var written: UInt8 = 0
  /// Memory that no operand shows is written.
  private(set) var writesElsewhere = false
  private(set) var action = Action.none
  /// The register that the action is about.
  private(set) var target: UInt8 = 0

  /// Nothing is known of it.
  var isUnknown: Bool { doubtful == .max }

  init(_ encoding: RiskEncoding) {
    let instruction = encoding.instruction
    if instruction.isNop { return }
    switch (instruction.encoding, instruction.map) {
    case (.legacy, 0): oneByte(encoding)
    case (.legacy, 1): twoByte(encoding)
    default: others(encoding)
    }
  }

  private mutating func change(_ register: UInt8) { changed |= 1 << UInt16(register & 15) }
  private mutating func doubt(_ register: UInt8) { doubtful |= 1 << UInt16(register & 15) }
  private mutating func change(mask: UInt16) { changed |= mask }

  private mutating func giveUp() {
    doubtful = .max
    writesElsewhere = true
  }

  /// ModRM.rm is the result.
  private mutating func write(_ encoding: RiskEncoding) {
    if let operand = encoding.operand { change(operand) } else { written = encoding.instruction.isWide ? 8 : 4 }
  }

  private mutating func writeByte(_ encoding: RiskEncoding) {
    if let operand = encoding.operand { changeByte(operand, encoding) } else { written = 1 }
  }

  private mutating func changeByte(_ register: UInt8, _ encoding: RiskEncoding) {
    change(register >= 4 && register < 8 && !encoding.hasREX ? register & 3 : register)
  }

  private mutating func act(_ action: Action, _ register: UInt8) {
    (self.action, target) = (action, register)
    change(register)
  }
}

// MARK: One byte of opcode

extension FlowEffect {
  private static var stackPointer: UInt8 { 4 }

  private mutating func oneByte(_ encoding: RiskEncoding) {
    let instruction = encoding.instruction
    switch instruction.opcode {
    case 0x00...0x3f: arithmetic(encoding)
    case 0x50...0x57: (action, target) = (.push, encoding.opcodeRegister)
    case 0x58...0x5f: act(.pop, encoding.opcodeRegister)
    case 0x63: act(.element, encoding.register)
    case 0x68, 0x6a: action = .pushOther
    case 0x69, 0x6b: change(encoding.register)
    // TEST, conditions, hints and flags.
    case 0x70...0x7f, 0x84, 0x85, 0x8e, 0x9b, 0x9e, 0xa8, 0xa9, 0xf5, 0xf8...0xfd: break
    case 0x80, 0x81, 0x83: group(encoding)
    case 0x86, 0x87:
      change(encoding.register)
      if instruction.opcode == 0x86 { writeByte(encoding) } else { write(encoding) }
    case 0x88: writeByte(encoding)
    case 0x89:
      (action, target) = (.store, encoding.operand ?? 0)
      write(encoding)
    case 0x8a: changeByte(encoding.register, encoding)
    case 0x8b: act(.load, encoding.register)
    case 0x8c: write(encoding)
    case 0x8d: act(.address, encoding.register)
    case 0x91...0x97:
      change(0)
      change(encoding.opcodeRegister)
    case 0x98, 0x9f, 0xd7: change(0)
    case 0x99: change(2)
    case 0xa4...0xa7, 0xaa...0xaf: strings()
    case 0xb0...0xb7: changeByte(encoding.opcodeRegister, encoding)
    case 0xb8...0xbf: act(.constant, encoding.opcodeRegister)
    case 0xc0, 0xd0, 0xd2, 0xc6: writeByte(encoding)
    case 0xc1, 0xd1, 0xd3: write(encoding)
    case 0xc7: if let operand = encoding.operand { act(.constant, operand) } else { write(encoding) }
    case 0xc9: (action, changed) = (.leave, 1 << 5)
    // The 80-bit numbers of the x87; FNSTSW AX.
    case 0xd8...0xdf: if encoding.hasMemory { written = 128 } else { doubt(0) }
    case 0xf6, 0xf7, 0xfe, 0xff: unary(encoding)
    default: giveUp()
    }
  }

  /// ADD, OR, ADC, SBB, AND, SUB, XOR, CMP in their six forms.
  private mutating func arithmetic(_ encoding: RiskEncoding) {
    let opcode = encoding.instruction.opcode
    if opcode >= 0x38 { return }
    switch opcode & 7 {
    case 0: writeByte(encoding)
    case 2: changeByte(encoding.register, encoding)
    case 1:
      write(encoding)
      guard let operand = encoding.operand else { return }
      if opcode == 0x01 { act(.sum, operand) } else if encoding.isZeroing { act(.zero, operand) }
    case 3:
      change(encoding.register)
      if encoding.isZeroing {
        act(.zero, encoding.register)
      } else if opcode == 0x03, encoding.operand != nil {
        act(.sum, encoding.register)
      }
    case 4, 5: change(0)
    default: giveUp()
    }
  }

  /// An immediate and ModRM.rm.
  private mutating func group(_ encoding: RiskEncoding) {
    let digit = encoding.instruction.modRM >> 3 & 7
    if digit == 7 { return }
    if encoding.instruction.opcode == 0x80 { return writeByte(encoding) }
    if encoding.operand == FlowEffect.stackPointer, digit == 0 || digit == 5 {
      action = .adjust
    } else {
      write(encoding)
    }
  }

  private mutating func unary(_ encoding: RiskEncoding) {
    let digit = encoding.instruction.modRM >> 3 & 7
    switch (encoding.instruction.opcode, digit) {
    case (0xf6, 0), (0xf6, 1), (0xf7, 0), (0xf7, 1): break
    case (0xf6, 4...7): change(0)
    case (0xf7, 4...7): change(mask: 0b101)
    case (0xf6, _), (0xfe, _): writeByte(encoding)
    case (0xf7, _), (0xff, 0), (0xff, 1): write(encoding)
    case (0xff, 6): action = .pushOther
    default: giveUp()
    }
  }

  /// MOVS, CMPS, STOS, LODS, SCAS, with REP or without: RAX, RCX, RSI, RDI.
  private mutating func strings() {
    doubtful = 0b1100_0011
    writesElsewhere = true
  }
}

// MARK: Others

extension FlowEffect {
  private mutating func twoByte(_ encoding: RiskEncoding) {
    let instruction = encoding.instruction
    switch instruction.opcode {
    case 0x05: change(mask: 1 << 0 | 1 << 1 | 1 << 11)
    // Hints, prefetches, branches, TEST of a bit. RDSSP is among the hints.
    case 0x0d, 0x18...0x1f, 0x77, 0x80...0x8f, 0xa3: if let operand = encoding.operand { doubt(operand) }
    case 0x31: change(mask: 0b101)
    case 0xa2: change(mask: 0b1111)
    case 0x11, 0x13, 0x17, 0x29, 0x2b, 0x7f, 0xd6, 0xe7: if encoding.hasMemory { written = 16 }
    case 0x7e: if let operand = encoding.operand { doubt(operand) } else { written = 8 }
    case 0xf7: writesElsewhere = true
    case 0x2c, 0x2d, 0x50, 0xc5, 0xd7: change(encoding.register)
    case 0x10, 0x12, 0x14...0x16, 0x28, 0x2a, 0x2e, 0x2f, 0x51...0x76, 0x7c, 0x7d, 0xc2, 0xc4, 0xc6, 0xd0...0xff:
      break
    case 0x40...0x4f, 0xb8, 0xbc, 0xbd: doubt(encoding.register)
    case 0xaf, 0xb6, 0xb7, 0xbe, 0xbf: change(encoding.register)
    case 0x90...0x9f: writeByte(encoding)
    case 0xa4, 0xa5, 0xac, 0xad, 0xc3: write(encoding)
    // The bit may lie far beyond the operand.
    case 0xab, 0xb3, 0xbb: if let operand = encoding.operand { change(operand) } else { writesElsewhere = true }
    case 0xba: if instruction.modRM >> 3 & 7 != 4 { write(encoding) }
    case 0xb0, 0xb1, 0xc0, 0xc1:
      doubt(instruction.opcode < 0xc0 ? 0 : encoding.register)
      if let operand = encoding.operand { doubt(operand) } else { written = 8 }
    case 0xc7: compareAndExchange(encoding)
    case 0xc8...0xcf: change(encoding.opcodeRegister)
    default: giveUp()
    }
  }

  /// CMPXCHG8B, CMPXCHG16B; RDRAND, RDSEED.
  private mutating func compareAndExchange(_ encoding: RiskEncoding) {
    guard encoding.instruction.modRM >> 3 & 7 == 1 || encoding.operand != nil else { return giveUp() }
    if let operand = encoding.operand { return change(operand) }
    doubtful = 0b101
    written = 16
  }

  /// Instructions of vectors, and what is written like them: a general register that is written is named by ModRM, but
  /// for those of BMI (maps 0F38 and 0F3A from F0 on).
  private mutating func others(_ encoding: RiskEncoding) {
    let instruction = encoding.instruction
    if instruction.map != 1, instruction.opcode >= 0xf0 || instruction.encoding == .xop { return giveUp() }
    guard instruction.hasModRM else {
      if instruction.opcode != 0x77 { giveUp() }
      return
    }
    // RSP is never one of them.
    let named = UInt16(1) << UInt16(instruction.modRM >> 3 & 7)
    doubtful = (named | named << 8) & ~(1 << UInt16(FlowEffect.stackPointer))
    if encoding.hasMemory {
      written = 64
    } else {
      let other = UInt16(1) << UInt16(instruction.modRM & 7)
      doubtful |= (other | other << 8) & ~(1 << UInt16(FlowEffect.stackPointer))
    }
  }
}

extension RiskEncoding {
  /// XOR or SUB of a register and itself.
  fileprivate var isZeroing: Bool {
    operand == register && (0x30...0x33 ~= instruction.opcode || 0x28...0x2b ~= instruction.opcode)
  }
}
