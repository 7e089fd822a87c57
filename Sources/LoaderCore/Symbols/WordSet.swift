/// A set of hashes, by open addressing: what the standard library's sets take for hashing once more is most of what
/// thousands of insertions cost.
struct WordSet {
  /// 0: free.
  private var slots: [UInt64] = []
  private var count = 0

  /// Values that are 0 count as 1.
  private static func entry(_ value: UInt64) -> UInt64 { value == 0 ? 1 : value }

  private func place(of entry: UInt64) -> Int {
    let mask = slots.count - 1
    var index = Int(truncatingIfNeeded: entry ^ entry >> 32) & mask
    while slots[index] != 0, slots[index] != entry { index = (index + 1) & mask }
    return index
  }

  func contains(_ value: UInt64) -> Bool { count > 0 && slots[place(of: WordSet.entry(value))] != 0 }

  mutating func insert(_ value: UInt64) {
    if 2 * (count + 1) > slots.count { grow() }
    let entry = WordSet.entry(value)
    let index = place(of: entry)
    if slots[index] == 0 { count += 1 }
    slots[index] = entry
  }

  private mutating func grow() {
    let old = slots
    slots = [UInt64](repeating: 0, count: max(256, old.count * 4))
    for entry in old where entry != 0 { slots[place(of: entry)] = entry }
  }
}
