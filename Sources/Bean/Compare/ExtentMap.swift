/// How far the object at an address of read-only data reaches: to its symbol's end, or else to the next address that
/// anything refers to.
struct ExtentMap {
  private let binary: Binary
  /// By region: a bit for each byte that code, a relocation or a symbol refers to. Empty for other kinds.
  private var marks: [[UInt64]]

  init(_ binary: Binary) {
    self.binary = binary
    marks = []
    marks.reserveCapacity(binary.regions.regions.count)
    for region in binary.regions.regions {
      let isConstant = region.kind == .readOnly || region.kind == .relro
      let count = isConstant && !region.isNoBits ? Int(region.range.count / 64) + 1 : 0
      marks.append([UInt64](repeating: 0, count: count))
    }
    for reference in binary.code.references where reference.kind != .branch { mark(reference.target) }
    for entry in binary.relocations.entries {
      if let symbol = binary.symbols.symbol(of: entry) {
        mark(symbol.symbol.value)
      } else {
        mark(UInt64(bitPattern: entry.addend))
      }
    }
    for name in binary.symbols.named where name.size != 0 {
      mark(name.start)
      mark(name.end)
    }
  }

  /// The region that the last address lay in: mostly that of the next one, too.
  private var last = 0

  private mutating func mark(_ address: UInt64) {
    if last >= binary.regions.regions.count || !binary.regions.regions[last].range.contains(address) {
      guard let index = binary.regions.index(containing: address) else { return }
      last = index
    }
    let index = last
    if marks[index].isEmpty { return }
    let offset = address &- binary.regions.regions[index].range.start
    marks[index][Int(offset / 64)] |= 1 << (offset % 64)
  }

  /// The nearest address at or before `address`, in its section, that anything refers to.
  func start(before address: UInt64) -> UInt64? {
    guard let index = binary.regions.index(containing: address), !marks[index].isEmpty else { return nil }
    let base = binary.regions.regions[index].range.start
    var word = Int((address &- base) / 64)
    guard word < marks[index].count else { return nil }
    var bits = marks[index][word] & (UInt64.max >> (63 &- (address &- base) % 64))
    while bits == 0 {
      word -= 1
      guard word >= 0 else { return nil }
      bits = marks[index][word]
    }
    return base &+ UInt64(word) &* 64 &+ UInt64(63 &- bits.leadingZeroBitCount)
  }

  /// Number of bytes from `address` on; 0 where it does not lie in read-only or RELRO data.
  func extent(at address: UInt64) -> UInt64 {
    guard let index = binary.regions.index(containing: address), !marks[index].isEmpty else { return 0 }
    let range = binary.regions.regions[index].range
    if let name = binary.symbols.name(containing: address), name.size != 0 {
      return min(name.end, range.end) &- address
    }
    let first = address &- range.start &+ 1
    var word = Int(first / 64)
    guard word < marks[index].count else { return range.end &- address }
    var bits = marks[index][word] & (UInt64.max << (first % 64))
    while bits == 0 {
      word += 1
      guard word < marks[index].count else { return range.end &- address }
      bits = marks[index][word]
    }
    let next = range.start &+ UInt64(word) &* 64 &+ UInt64(bits.trailingZeroBitCount)
    return min(next, range.end) &- address
  }
}
