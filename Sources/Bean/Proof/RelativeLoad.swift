/// A sign-extending load of 32 bits whose result may be added to the place that it was loaded from: how relative
/// tables are read. MOVSXD r64, [base + index * 4], then ADD of the same base (LLVM's tables), or MOVSXD r64,
/// [base + d], then LEA [base + r64 + d] (Swift's relative pointers).
struct RelativeLoad {
  /// Instructions within which the two belong together.
  static var window: Int { 5 }

  private let base: UInt8
  private let destination: UInt8
  private let displacement: Int32
  private(set) var age = 0
  private(set) var isAdded = false
  /// The number may be in the stack frame, too.
  private var isSpilled = false

  /// REX.W 63 /r with a memory operand that has a base register, as compilers encode it. The stack holds no tables.
  init?(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) {
    let rex = bytes[offset]
    guard instruction.map == 0, instruction.opcode == 0x63, instruction.modRM < 0xc0, !instruction.isRIPRelative,
      rex & 0xf8 == 0x48, bytes[offset &+ 1] == 0x63
    else { return nil }
    var low = instruction.modRM & 7
    if low == 4 {
      let sib = bytes[offset &+ 3]
      let hasIndex = sib >> 3 & 7 != 4 || rex & 2 != 0
      if hasIndex && sib >> 6 != 2 { return nil }
      low = sib & 7
    }
    base = low | (rex & 1) << 3
    if base == 4 { return nil }
    destination = (instruction.modRM >> 3 & 7) | (rex & 4) << 1
    displacement = RelativeLoad.displacement(instruction, bytes, offset)
  }

  private static func displacement(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> Int32 {
    let place = offset &+ Int(instruction.displacementOffset)
    switch instruction.displacementSize {
    case 1: return Int32(bytes.load(Int8.self, at: place) ?? 0)
    case 4: return bytes.load(Int32.self, at: place) ?? 0
    default: return 0
    }
  }

  /// Looks at the next instruction: true if the sum turns out to be used otherwise than by a jump.
  mutating func isAnswer(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> Bool {
    age &+= 1
    if isAdded { return age > RelativeLoad.window || instruction.flow != .next }
    if isSum(instruction, bytes, offset) {
      isAdded = true
      age = 0
    } else if isNewBase(instruction, bytes, offset) || isScaled(instruction, bytes, offset)
      || isReplaced(instruction, bytes, offset)
    {
      // What is added later is another address than the one that was loaded from, or no distance in bytes.
      age = RelativeLoad.window &+ 1
    }
    return false
  }

  /// MOV of another word of memory to the number's register. Notes stores of the number to the stack frame or to a
  /// variable, from where it might come back.
  private mutating func isReplaced(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> Bool {
    let rex = bytes[offset]
    guard instruction.map == 0, rex & 0xf8 == 0x48, bytes[offset &+ 1] == instruction.opcode,
      instruction.opcode == 0x89 || instruction.opcode == 0x8b, instruction.modRM < 0xc0,
      (instruction.modRM >> 3 & 7) | (rex & 4) << 1 == destination
    else { return false }
    if instruction.opcode == 0x8b { return !isSpilled }
    let low = instruction.modRM & 7
    if low == 5 || low == 4 && bytes[offset &+ 3] & 7 == 4 { isSpilled = true }
    return false
  }

  /// A shift of the number: it is an index.
  private func isScaled(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> Bool {
    let rex = bytes[offset]
    guard instruction.map == 0, instruction.opcode == 0xc1 || instruction.opcode == 0xd1, rex & 0xf8 == 0x48,
      bytes[offset &+ 1] == instruction.opcode, instruction.modRM >= 0xe0
    else { return false }
    return instruction.modRM & 7 | (rex & 1) << 3 == destination
  }

  /// MOV or LEA to the base register.
  private func isNewBase(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> Bool {
    let rex = bytes[offset]
    guard instruction.map == 0, instruction.opcode == 0x8b || instruction.opcode == 0x8d, rex & 0xf8 == 0x48,
      bytes[offset &+ 1] == instruction.opcode
    else { return false }
    return (instruction.modRM >> 3 & 7) | (rex & 4) << 1 == base
  }

  private func isSum(_ instruction: Instruction, _ bytes: Bytes, _ offset: Int) -> Bool {
    let rex = bytes[offset]
    guard instruction.map == 0, rex & 0xf8 == 0x48, bytes[offset &+ 1] == instruction.opcode else { return false }
    var first = instruction.modRM & 7 | (rex & 1) << 3
    var second = (instruction.modRM >> 3 & 7) | (rex & 4) << 1
    switch instruction.opcode {
    case 0x01 where instruction.modRM >= 0xc0, 0x03 where instruction.modRM >= 0xc0:
      if displacement != 0 { return false }
    case 0x8d where instruction.modRM & 7 == 4:
      let sib = bytes[offset &+ 3]
      guard sib >> 6 == 0, RelativeLoad.displacement(instruction, bytes, offset) == displacement else { return false }
      first = sib & 7 | (rex & 1) << 3
      second = (sib >> 3 & 7) | (rex & 2) << 2
    default: return false
    }
    return first == base && second == destination || first == destination && second == base
  }
}
