/// A hash over machine code, eight bytes at a step, for finding functions that are the same in two versions. What it
/// says is always verified byte by byte.
struct CodeHash {
  private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15

  @inline(__always)
  mutating func combine(_ word: UInt64) {
    let product = (value ^ word).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    value = product.high ^ product.low &+ 0x2545_f491_4f6c_dd1d
  }

  /// The bytes [from, to).
  @inline(__always)
  mutating func combine(_ bytes: Bytes, from: Int, to: Int) {
    var index = from
    while index &+ 8 <= to {
      combine(bytes.load(UInt64.self, at: index) ?? 0)
      index &+= 8
    }
    if index < to, index > from {
      // The last eight bytes: some of them once more.
      combine(bytes.load(UInt64.self, at: to &- 8) ?? 0)
    } else if index < to {
      var rest: UInt64 = 0
      while index < to {
        rest = rest << 8 | UInt64(bytes[index])
        index &+= 1
      }
      combine(rest)
    }
    combine(UInt64(truncatingIfNeeded: to &- from))
  }
}
