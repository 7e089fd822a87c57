import CKernel

/// Where a scope's objects define which names, by the names' hashes: one table in place of a look into the hash table of
/// each object. It is made from the objects' hash tables without looking at their symbols, for the one run of
/// relocations at start, and given up after it.
///
/// Open addressing: entries of one hash follow each other in the order of the scope and, within an object, of its
/// symbols, as a look-up in one object after the other would meet them.
///
/// Its memory comes from the kernel at once, cleared and present: page by page it would cost more than the entries.
final class NameTable {
  /// Hash without its lowest bit (31 bits), object (12), symbol (21). 0: free; symbol 0 defines nothing. There are
  /// `mask` + 1, and never all of them in use.
  private let slots: UnsafeMutablePointer<UInt64>
  /// How far a product is shifted to become an index.
  private let shift: UInt64
  private let mask: Int
  /// Objects that are not in the table, ascending: whatever has another kind of hash table, and those with so many
  /// symbols that the references to them do not pay.
  let others: [Int]

  static var symbolLimit: Int { 1 << 21 }
  static var objectLimit: Int { 1 << 12 }

  /// nil where the table would cost more than it gives. `references`: how many look-ups will come; fewer than `least`
  /// are none worth it.
  init?(_ objects: [LoadedObject], references: Int, least: Int) {
    guard objects.count <= NameTable.objectLimit, references >= least else { return nil }
    var others: [Int] = []
    var total = 0
    for (index, object) in objects.enumerated() {
      let count = NameTable.definitionCount(of: object)
      // Entering a symbol takes about a tenth of the time that a reference saves.
      if let count, count <= references * 4 { total += count } else { others.append(index) }
    }
    guard total > 0, total <= references * 8, total < 1 << 24 else { return nil }
    self.others = others
    var size: UInt64 = 6
    while 1 << size < total * 3 / 2 { size += 1 }
    shift = 64 - size
    mask = (1 << size) - 1
    guard let memory = try? Mapping.anonymous(UInt64(mask + 1) * 8, .readWrite, populated: true) else { return nil }
    slots = ProcessMemory.pointer(memory).bindMemory(to: UInt64.self, capacity: mask + 1)
    if !enter(objects, budget: total * 8 + 65536) { return nil }
  }

  deinit { Mapping.unmap(UInt64(UInt(bitPattern: slots)), UInt64(mask + 1) * 8) }

  /// At most so many; nil: not for this table.
  private static func definitionCount(of object: LoadedObject) -> Int? {
    guard let hash = object.gnuHash, object.symbols.limit < symbolLimit else { return nil }
    return max(object.symbols.limit - Int(hash.firstSymbol), 0)
  }

  /// `budget`: steps after which it is given up. Broken files could have all their symbols in one place.
  private func enter(_ objects: [LoadedObject], budget: Int) -> Bool {
    var rest = budget
    var skipped = 0
    let (slots, mask, shift) = (slots, mask, shift)
    for (index, object) in objects.enumerated() {
      if skipped < others.count, others[skipped] == index {
        skipped += 1
        continue
      }
      let place = UInt64(index) << 21
      object.gnuHash?.forEachHash(below: object.symbols.limit) { symbol, hash in
        var slot = NameTable.start(hash, shift, mask)
        while rest > 0, slots[slot] != 0 {
          slot = (slot &+ 1) & mask
          rest &-= 1
        }
        if rest > 0, symbol > 0 {
          slots[slot] = UInt64(hash >> 1) << 33 | place | UInt64(symbol)
        }
      }
    }
    return rest > 0
  }

  @inline(__always)
  private static func start(_ hash: UInt32, _ shift: UInt64, _ mask: Int) -> Int {
    Int(truncatingIfNeeded: (UInt64(hash >> 1) &* 0x9e37_79b9_7f4a_7c15) &>> shift) & mask
  }

  @inline(__always)
  private func start(_ hash: UInt32) -> Int { NameTable.start(hash, shift, mask) }

  /// A walk over the entries of one hash.
  struct Cursor {
    fileprivate var slot: Int
    fileprivate let hash: UInt32
  }

  @inline(__always)
  func cursor(_ hash: UInt32) -> Cursor { Cursor(slot: start(hash), hash: hash >> 1) }

  /// The next entry, or nil.
  @inline(__always)
  func next(_ cursor: inout Cursor) -> (object: Int, symbol: Int)? {
    // The table is never full.
    while true {
      let entry = slots[cursor.slot]
      if entry == 0 { return nil }
      cursor.slot = (cursor.slot &+ 1) & mask
      if UInt32(truncatingIfNeeded: entry >> 33) == cursor.hash {
        let object = entry >> 21 & UInt64(NameTable.objectLimit - 1)
        return (Int(object), Int(entry & UInt64(NameTable.symbolLimit - 1)))
      }
    }
  }

  @inline(__always)
  func prefetch(_ hash: UInt32) {
    luci_prefetch(UInt64(UInt(bitPattern: slots + start(hash))))
  }
}
