import Foundation

/// Numbers that are the same in every run (SplitMix64).
struct RepeatableNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}

/// Damages what a loader reads of a library: its header, program headers and tables, never its code.
struct Damage {
  private let original: [UInt8]
  private var tables: [Range<Int>] = []

  init(_ file: Data) {
    original = [UInt8](file)
    tables = [0..<64, 64..<64 + Int(number(at: 56, size: 2)) * 56]
    let first = Int(number(at: 40, size: 8))
    for index in 0..<Int(number(at: 60, size: 2)) {
      let header = first + index * 64
      // Loaded sections of symbols, strings, relocations (RELA, RELR), hashes, versions, and the dynamic section.
      let kinds: [UInt64] = [3, 4, 5, 6, 9, 11, 19, 0x6fff_fff6, 0x6fff_fffd, 0x6fff_fffe, 0x6fff_ffff]
      guard kinds.contains(number(at: header + 4, size: 4)), number(at: header + 8, size: 8) & 2 != 0 else {
        continue
      }
      let start = Int(number(at: header + 24, size: 8))
      tables.append(start..<start + Int(number(at: header + 32, size: 8)))
    }
  }

  private func number(at offset: Int, size: Int) -> UInt64 {
    original[offset..<offset + size].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// One damaged file: cut off, or with one or a few changed numbers.
  func file(_ numbers: inout RepeatableNumbers) -> Data {
    if Int.random(in: 0..<20, using: &numbers) == 0 {
      return Data(original[..<Int.random(in: 0..<original.count, using: &numbers)])
    }
    var bytes = original
    for _ in 0..<([1, 1, 1, 2, 4].randomElement(using: &numbers) ?? 1) {
      guard let table = tables.randomElement(using: &numbers), let size = [1, 2, 4, 8].randomElement(using: &numbers)
      else { continue }
      let place = table.lowerBound + Int.random(in: 0..<max(1, table.count / size), using: &numbers) * size
      guard place + size <= bytes.count else { continue }
      let old = number(at: place, size: size)
      let all: UInt64 = size == 8 ? .max : (1 << UInt64(size * 8)) - 1
      let values = [
        0, 1, all, all >> 1, (all >> 1) + 1, old &+ 1, old &- 1, old &+ 8, old &* 2, 0x1000, 0x7fff_f000,
        old ^ (1 << UInt64.random(in: 0..<UInt64(size * 8), using: &numbers)), numbers.next(),
        UInt64.random(in: 0..<0x5000, using: &numbers),
      ]
      let value = values.randomElement(using: &numbers) ?? 0
      for index in 0..<size { bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8)) }
    }
    return Data(bytes)
  }
}
