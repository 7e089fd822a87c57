/// The commonest instructions in one step: their length and position-dependent field, which is all that most passes
/// over code need. What it does not know it leaves to `InstructionDecoder`; what it says is the same.
///
/// Comparing two versions decodes all their code, and that is the largest part of the time.
struct QuickInstruction {
  /// 0: not one of those.
  let length: Int
  /// Where the field is; 0: there is none.
  let place: Int
  let field: Field

  enum Field: UInt8 {
    case none
    /// [rip + displacement].
    case memory
    /// The same of LEA.
    case address
    /// Relative branches.
    case byteDistance
    case wordDistance
  }

  static var unknown: QuickInstruction { QuickInstruction(length: 0, place: 0, field: .none) }

  /// Bytes that must be readable from an instruction's start on: the longest that is known has 13.
  static var window: Int { 16 }

  /// What follows an opcode of the one-byte map, in the letters of `DecoderLayouts`; `-`: unknown here. `L` is LEA,
  /// which has a memory operand, `C` MOV with immediate, whose ModRM.reg is 0, `G` the group FF, and `0` the escape.
  private static var oneByte: StaticString {
    """
    MMMMbz--MMMMbz-0\
    MMMMbz--MMMMbz--\
    MMMMbz--MMMMbz--\
    MMMMbz--MMMMbz--\
    ----------------\
    ................\
    --------zZbm----\
    jjjjjjjjjjjjjjjj\
    mZ-mMMMMMMMM-L--\
    ..........------\
    --------bz------\
    bbbbbbbbvvvvvvvv\
    mm-.--CC-.--.---\
    MMMM------------\
    --------JJ-j----\
    ------tT-------G
    """
  }

  /// The same for the map 0F.
  private static var twoByte: StaticString {
    """
    ----------------\
    MM--MM--M-----MM\
    --------MMM-MMMM\
    ----------------\
    MMMMMMMMMMMMMMMM\
    -MMMMMMMMMMMMMMM\
    MMMMMMMMMMMMMMMM\
    m---MMM-------MM\
    JJJJJJJJJJJJJJJJ\
    MMMMMMMMMMMMMMMM\
    ---M-------M---M\
    MM-M--MM---MMMMM\
    ------m---------\
    -MMMMM--MMMMMMMM\
    MMMMMMM-MMMMMMMM\
    -MMMMMM-MMMMMMM-
    """
  }

  /// `code` has `window` readable bytes.
  @inline(__always)
  init(_ code: UnsafeRawPointer) {
    var index = 0
    var byte = QuickInstruction.byte(code, 0)
    var prefix: UInt8 = 0
    switch byte {
    case 0x66: prefix = 1
    case 0xf3: prefix = 2
    case 0xf2: prefix = 3
    default: break
    }
    if prefix != 0 {
      index = 1
      byte = QuickInstruction.byte(code, 1)
    }
    var isWide = false
    if byte & 0xf0 == 0x40 {
      isWide = byte & 8 != 0
      index &+= 1
      byte = QuickInstruction.byte(code, index)
    }
    index &+= 1
    var layout = QuickInstruction.letter(QuickInstruction.oneByte, byte)
    if layout == UInt8(ascii: "0") {
      byte = QuickInstruction.byte(code, index)
      index &+= 1
      layout = QuickInstruction.letter(QuickInstruction.twoByte, byte)
      let digit = QuickInstruction.letter(DecoderLegacyOpcodes.legacyMap1, byte)
      let mask = (digit & 0xf) &+ (digit >> 6) &* 9
      guard mask & (1 << prefix) != 0 else {
        self = .unknown
        return
      }
    } else if prefix > 1 {
      // REP and the like.
      self = .unknown
      return
    }
    // MOV of eight bytes is rare.
    if layout == UInt8(ascii: "v") { layout = isWide ? UInt8(ascii: "-") : UInt8(ascii: "z") }
    self.init(code, index, layout, operandSize: prefix == 1 && !isWide ? 2 : 4)
  }

  @inline(__always)
  private init(_ code: UnsafeRawPointer, _ start: Int, _ layout: UInt8, operandSize: Int) {
    var index = start
    switch layout {
    case UInt8(ascii: "."): self.init(length: index, place: 0, field: .none)
    case UInt8(ascii: "j"): self.init(length: index &+ 1, place: index, field: .byteDistance)
    case UInt8(ascii: "J"): self.init(length: index &+ 4, place: index, field: .wordDistance)
    case UInt8(ascii: "b"): self.init(length: index &+ 1, place: 0, field: .none)
    case UInt8(ascii: "z"): self.init(length: index &+ operandSize, place: 0, field: .none)
    case UInt8(ascii: "-"): self = .unknown
    default:
      let modRM = QuickInstruction.byte(code, index)
      index &+= 1
      let place = QuickInstruction.skipMemory(code, &index, modRM)
      let reg = modRM >> 3 & 7
      var field = place != 0 ? Field.memory : .none
      switch layout {
      case UInt8(ascii: "M"): break
      case UInt8(ascii: "m"): index &+= 1
      case UInt8(ascii: "Z"): index &+= operandSize
      case UInt8(ascii: "t"): index &+= reg < 2 ? 1 : 0
      case UInt8(ascii: "T"): index &+= reg < 2 ? operandSize : 0
      case UInt8(ascii: "L") where modRM < 0xc0: if place != 0 { field = .address }
      case UInt8(ascii: "C") where reg == 0:
        index &+= QuickInstruction.byte(code, start &- 1) == 0xc6 ? 1 : operandSize
      // Far calls and jumps have other rules.
      case UInt8(ascii: "G") where reg != 7 && reg != 3 && reg != 5: break
      default:
        self = .unknown
        return
      }
      self.init(length: index, place: place, field: field)
    }
  }

  @inline(__always)
  private init(length: Int, place: Int, field: Field) {
    self.length = length
    self.place = place
    self.field = field
  }

  /// Steps over SIB and displacement. Returns where the displacement of [rip + displacement] is, else 0.
  @inline(__always)
  private static func skipMemory(_ code: UnsafeRawPointer, _ index: inout Int, _ modRM: UInt8) -> Int {
    if modRM >= 0xc0 { return 0 }
    let mod = modRM >> 6
    let low = modRM & 7
    if low == 4 {
      let sib = byte(code, index)
      index &+= 1
      if mod == 0 {
        if sib & 7 == 5 { index &+= 4 }
        return 0
      }
    } else if mod == 0 {
      guard low == 5 else { return 0 }
      index &+= 4
      return index &- 4
    }
    index &+= mod == 1 ? 1 : 4
    return 0
  }

  @inline(__always)
  private static func byte(_ code: UnsafeRawPointer, _ index: Int) -> UInt8 {
    code.load(fromByteOffset: index, as: UInt8.self)
  }

  @inline(__always)
  private static func letter(_ table: StaticString, _ index: UInt8) -> UInt8 {
    UnsafeRawPointer(table.utf8Start).load(fromByteOffset: Int(index), as: UInt8.self)
  }
}

extension Bytes {
  /// The instruction at `offset`, if it is a common one and there are bytes enough.
  @inline(__always)
  func quickInstruction(at offset: Int) -> QuickInstruction {
    guard offset >= 0, offset <= count &- QuickInstruction.window else { return .unknown }
    return QuickInstruction(address + offset)
  }
}
