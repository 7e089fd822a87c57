/// What follows an opcode, one letter per opcode (Intel SDM volume 2, appendix A; AMD APM volume 3, appendix A):
///
/// - `.` nothing, `x` undefined in 64-bit mode
/// - `M` ModRM, `m` ModRM and imm8, `Z` ModRM and imm16/32 by operand size, `r` ModRM that is always a register
/// - `t`, `T` the groups F6 and F7: ModRM, and an immediate for TEST alone
/// - `b` imm8, `w` imm16, `z` imm16/32, `v` imm16/32/64, `e` ENTER's imm16 and imm8
/// - `j` rel8, `J` rel32, `o` an absolute address
/// - `q` VMREAD, or with 66 or F2 SSE4a's EXTRQ and INSERTQ with two imm8
///
/// Letters in a string literal, since that is constant data: nothing to set up at run time.
enum DecoderLayouts {
  /// The one-byte map; prefixes and escapes never get here.
  static var oneByte: StaticString {
    """
    MMMMbzxxMMMMbzxx\
    MMMMbzxxMMMMbzxx\
    MMMMbzxxMMMMbzxx\
    MMMMbzxxMMMMbzxx\
    xxxxxxxxxxxxxxxx\
    ................\
    xxxMxxxxzZbm....\
    jjjjjjjjjjjjjjjj\
    mZxmMMMMMMMMMMMM\
    ..........x.....\
    oooo....bz......\
    bbbbbbbbvvvvvvvv\
    mmw.xxmZe.w..bx.\
    MMMMxxx.MMMMMMMM\
    jjjjbbbbJJxj....\
    x.xx..tT......MM
    """
  }

  /// 0F, also the layout of VEX and EVEX map 1 but for 78 and 80 to 8F.
  static var map1: StaticString {
    """
    MMMMx.....x.xM.x\
    MMMMMMMMMMMMMMMM\
    rrrrxxxxMMMMMMMM\
    ......x.xxxxxxxx\
    MMMMMMMMMMMMMMMM\
    MMMMMMMMMMMMMMMM\
    MMMMMMMMMMMMMMMM\
    mmmmMMM.qMxxMMMM\
    JJJJJJJJJJJJJJJJ\
    MMMMMMMMMMMMMMMM\
    ...MmMMM...MmMMM\
    MMMMMMMMMMmMMMMM\
    MMmMmmmM........\
    MMMMMMMMMMMMMMMM\
    MMMMMMMMMMMMMMMM\
    MMMMMMMMMMMMMMMM
    """
  }
}
