/// What an instruction does with its memory operand, as far as that is certain (Intel SDM volume 2, appendix A): an
/// upper bound of the bytes, and whether it may write.
struct MemoryAccess: Equatable {
  var width: UInt64
  var mayWrite: Bool

  /// What is not known here may be the largest vector, and written.
  static var unknown: MemoryAccess { MemoryAccess(width: 64, mayWrite: true) }

  private init(width: UInt64, mayWrite: Bool) {
    self.width = width
    self.mayWrite = mayWrite
  }

  private static func read(_ width: UInt64) -> MemoryAccess { MemoryAccess(width: width, mayWrite: false) }
  private static func write(_ width: UInt64) -> MemoryAccess { MemoryAccess(width: width, mayWrite: true) }

  /// `instruction` stands at `offset` of `bytes`.
  init(_ instruction: Instruction, _ bytes: Bytes, at offset: Int) {
    switch (instruction.encoding, instruction.map) {
    case (.legacy, 0): self = MemoryAccess.oneByte(instruction, bytes, offset)
    case (.legacy, 1): self = MemoryAccess.twoByte(instruction, bytes, offset)
    case (.vex, 1): self = MemoryAccess.isVectorLoad(instruction.opcode) ? .read(32) : .write(32)
    default: self = .unknown
    }
  }

  /// Is there a prefix `wanted` before the opcode?
  private static func hasPrefix(_ wanted: UInt8, _ bytes: Bytes, _ offset: Int) -> Bool {
    var position = offset
    while position < bytes.count {
      switch bytes[position] {
      case wanted: return true
      case 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65: position += 1
      default: return false
      }
    }
    return false
  }

  private static func operandSize(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> UInt64 {
    instruction.isWide ? 8 : hasPrefix(0x66, bytes, offset) ? 2 : 4
  }

  private static func oneByte(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> MemoryAccess {
    let opcode = instruction.opcode
    let digit = instruction.modRM >> 3 & 7
    // Even opcodes are those of bytes.
    let size = opcode & 1 == 0 ? 1 : operandSize(instruction, bytes, offset)
    switch opcode {
    case 0x38...0x3b: return .read(size)
    case 0x00...0x3f: return opcode & 7 < 2 ? .write(size) : .read(size)
    case 0x63: return .read(4)
    case 0x69, 0x6b: return .read(operandSize(instruction, bytes, offset))
    case 0x80, 0x81, 0x83: return digit == 7 ? .read(size) : .write(size)
    case 0x84, 0x85: return .read(size)
    case 0x86...0x89: return .write(size)
    case 0x8a, 0x8b: return .read(size)
    case 0xc0, 0xc1, 0xc6, 0xc7, 0xd0...0xd3: return .write(size)
    case 0xf6, 0xf7: return digit == 2 || digit == 3 ? .write(size) : .read(size)
    case 0xfe: return .write(1)
    case 0xff: return digit < 2 ? .write(size) : .read(8)
    default: return .unknown
    }
  }

  private static func twoByte(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> MemoryAccess {
    let size = operandSize(instruction, bytes, offset)
    switch instruction.opcode {
    case 0x40...0x4f, 0xaf: return .read(size)
    case 0xb6, 0xbe: return .read(1)
    case 0xb7, 0xbf: return .read(2)
    case 0xb0, 0xc0, 0x90...0x9f: return .write(1)
    case 0xb1, 0xc1: return .write(size)
    case 0xba: return instruction.modRM >> 3 & 7 == 4 ? .read(size) : .write(size)
    case let opcode where isVectorLoad(opcode):
      return .read(hasPrefix(0xf3, bytes, offset) ? 4 : hasPrefix(0xf2, bytes, offset) ? 8 : 16)
    case 0x11, 0x13, 0x17, 0x29, 0x2b, 0x7e, 0x7f, 0xd6, 0xe7: return .write(16)
    case 0xc7: return .write(16)
    default: return .unknown
    }
  }

  /// Moves to registers and arithmetic, with and without VEX; those of 8 bytes count as 16. F3 0F 6F and F3 0F 7E
  /// read 16 and 8 bytes: they are left to `unknown` or to what writes.
  private static func isVectorLoad(_ opcode: UInt8) -> Bool {
    switch opcode {
    case 0x10, 0x12, 0x16, 0x28, 0x2e, 0x2f, 0x54...0x59, 0x5c...0x5f: true
    default: false
    }
  }
}

extension Binary {
  /// Each reference of a function to state, with what its instruction does there. The function is decoded once more, since
  /// the table of references does not keep that.
  func forEachStateAccess(of function: CodeTable.Function, _ body: (CodeReference, MemoryAccess) -> Void) {
    let references = code.references[function.first..<function.end]
    guard references.contains(where: { $0.kind != .branch && isInState($0.target) }),
      let bytes = file.image.bytes(at: function.range.start, count: function.range.count)
    else { return }
    var offset = 0
    for reference in references where reference.kind != .branch {
      let end = Int(truncatingIfNeeded: reference.instructionEnd &- function.range.start)
      var access = MemoryAccess.unknown
      while offset < end, let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.length != 0 {
        if offset + Int(instruction.length) == end { access = MemoryAccess(instruction, bytes, at: offset) }
        offset += Int(instruction.length)
      }
      if isInState(reference.target) { body(reference, access) }
    }
  }
}
