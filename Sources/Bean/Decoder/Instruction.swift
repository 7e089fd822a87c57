/// What Bean needs to know of one machine instruction: how long it is, where its displacement and immediate lie,
/// and which of them are relative to the end of the instruction.
///
/// Offsets count from the instruction's first byte, sizes are bytes; size 0 means: no such field. The absolute
/// address of MOV A0 to A3 counts as a displacement of 8 bytes; the two immediates of ENTER, EXTRQ and INSERTQ lie
/// side by side and count as one field.
public struct Instruction: Equatable {
  /// What the instruction does to the flow of control.
  public enum Flow: UInt8, Equatable, Sendable {
    /// Falls through to the next instruction.
    case next
    /// CALL with a relative target; falls through.
    case call
    /// JMP with a relative target; does not fall through.
    case jump
    /// Jcc, LOOP, JRCXZ, XBEGIN: a relative target, and falls through.
    case conditionalJump
    /// CALL through a register or memory; falls through.
    case indirectCall
    /// JMP through a register or memory.
    case indirectJump
    /// RET, IRET and the like.
    case `return`
    /// UD2, HLT, INT3: execution does not go on behind it.
    case stop
  }

  /// How the opcode is encoded; `map` means another thing for each.
  public enum Encoding: UInt8, Equatable, Sendable { case legacy, vex, evex, xop, threeDNow }

  public var length: UInt8 = 0
  public var flow: Flow = .next
  public var displacementOffset: UInt8 = 0
  public var displacementSize: UInt8 = 0
  public var immediateOffset: UInt8 = 0
  public var immediateSize: UInt8 = 0
  /// The memory operand is [rip + displacement]; its displacement is 4 bytes. With an address size prefix only
  /// the low 32 bits of the sum count.
  public var isRIPRelative = false
  /// The immediate is a relative branch target (flow is call, jump or conditionalJump).
  public var isRelativeBranch = false
  public var encoding: Encoding = .legacy
  /// Opcode map: 0 one byte, 1 0F, 2 0F38, 3 0F3A, and for VEX/EVEX/XOP the map field.
  public var map: UInt8 = 0
  public var opcode: UInt8 = 0
  /// Valid where `hasModRM`.
  public var modRM: UInt8 = 0
  public var hasModRM = false
  /// REX.W or VEX/EVEX.W.
  public var isWide = false

  public init() {}

  /// NOP in all its lengths, for telling padding from code.
  public var isNop = false
}
