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

  // A letter for each opcode. Bit 3 clear: its bits say all, bit 2 that there is ModRM, bits 0 and 1 the immediate (1:
  // one byte, 2: two or four by operand size); so `@` is nothing, `A` imm8, `B` imm16/32, `D` ModRM, `E` ModRM and
  // imm8, `F` ModRM and imm16/32. Others are looked at one by one: `j` and `J` branches, `L` LEA, whose operand is
  // memory, `K` MOV with immediate, whose ModRM.reg is 0, `M` the group FF, `N` and `O` the groups F6 and F7, `H` MOV
  // of an immediate to a register, `I` the escape to the next map. `-`: unknown here.

  private static var oneByte: StaticString {
    """
    DDDDAB--DDDDAB-I\
    DDDDAB--DDDDAB--\
    DDDDAB--DDDDAB--\
    DDDDAB--DDDDAB--\
    ----------------\
    @@@@@@@@@@@@@@@@\
    --------BFAE----\
    jjjjjjjjjjjjjjjj\
    EF-EDDDDDDDD-L--\
    @@@@@@@@@@------\
    --------AB------\
    AAAAAAAAHHHHHHHH\
    EE-@--KK-@--@---\
    DDDD------------\
    --------JJ-j----\
    ------NO-------M
    """
  }

  /// The same for the map 0F.
  private static var twoByte: StaticString {
    """
    ----------------\
    DD--DD--D-----DD\
    --------DDD-DDDD\
    ----------------\
    DDDDDDDDDDDDDDDD\
    -DDDDDDDDDDDDDDD\
    DDDDDDDDDDDDDDDD\
    E---DDD-------DD\
    JJJJJJJJJJJJJJJJ\
    DDDDDDDDDDDDDDDD\
    ---D-------D---D\
    DD-D--DD---DDDDD\
    ------E---------\
    -DDDDD--DDDDDDDD\
    DDDDDDD-DDDDDDDD\
    -DDDDDD-DDDDDDD-
    """
  }

  /// By ModRM: the low four bits are the length of SIB and displacement. `D` is [rip + displacement]; `a` has a SIB,
  /// whose base may be a displacement.
  private static var memory: StaticString {
    """
    0000aD000000aD000000aD000000aD000000aD000000aD000000aD000000aD00\
    1111211111112111111121111111211111112111111121111111211111112111\
    4444544444445444444454444444544444445444444454444444544444445444\
    0000000000000000000000000000000000000000000000000000000000000000
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
    if layout == UInt8(ascii: "I") {
      byte = QuickInstruction.byte(code, index)
      index &+= 1
      layout = QuickInstruction.letter(QuickInstruction.twoByte, byte)
      let digit = QuickInstruction.letter(DecoderLegacyOpcodes.legacyMap1, byte)
      let mask = (digit & 0xf) &+ (digit >> 6) &* 9
      if mask & (1 << prefix) == 0 { layout = UInt8(ascii: "-") }
    } else if prefix > 1 {
      // REP and the like.
      layout = UInt8(ascii: "-")
    }
    let operandSize = prefix == 1 && !isWide ? 2 : 4
    if layout & 8 != 0 {
      self.init(rare: layout, code, index, operandSize: operandSize, isWide: isWide)
      return
    }
    var place = 0
    if layout & 4 != 0 { QuickInstruction.skipMemory(code, &index, &place) }
    let immediate = Int(layout & 3)
    index &+= immediate == 2 ? operandSize : immediate
    self.init(length: index, place: place, field: place != 0 ? .memory : .none)
  }

  private init(rare layout: UInt8, _ code: UnsafeRawPointer, _ start: Int, operandSize: Int, isWide: Bool) {
    var index = start
    switch layout {
    case UInt8(ascii: "j"):
      self.init(length: index &+ 1, place: index, field: .byteDistance)
      return
    case UInt8(ascii: "J"):
      self.init(length: index &+ 4, place: index, field: .wordDistance)
      return
    case UInt8(ascii: "H"):
      self.init(length: isWide ? 0 : index &+ operandSize, place: 0, field: .none)
      return
    case UInt8(ascii: "-"):
      self = .unknown
      return
    default: break
    }
    let modRM = QuickInstruction.byte(code, index)
    let reg = modRM >> 3 & 7
    var place = 0
    QuickInstruction.skipMemory(code, &index, &place)
    var field = place != 0 ? Field.memory : .none
    switch layout {
    case UInt8(ascii: "L") where modRM < 0xc0: if place != 0 { field = .address }
    case UInt8(ascii: "K") where reg == 0:
      index &+= QuickInstruction.byte(code, start &- 1) == 0xc6 ? 1 : operandSize
    // Far calls and jumps have other rules.
    case UInt8(ascii: "M") where reg != 7 && reg != 3 && reg != 5: break
    case UInt8(ascii: "N"): index &+= reg < 2 ? 1 : 0
    case UInt8(ascii: "O"): index &+= reg < 2 ? operandSize : 0
    default:
      self = .unknown
      return
    }
    self.init(length: index, place: place, field: field)
  }

  @inline(__always)
  private init(length: Int, place: Int, field: Field) {
    self.length = length
    self.place = place
    self.field = field
  }

  /// Steps over ModRM, SIB and displacement. `place` becomes that of the displacement of [rip + displacement].
  @inline(__always)
  private static func skipMemory(_ code: UnsafeRawPointer, _ index: inout Int, _ place: inout Int) {
    let form = letter(memory, byte(code, index))
    index &+= 1
    if form & 0x40 != 0 {
      if form == UInt8(ascii: "D") {
        place = index
      } else if byte(code, index) & 7 == 5 {
        index &+= 4
      }
    }
    index &+= Int(form & 15)
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
