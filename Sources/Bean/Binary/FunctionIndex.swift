/// Finds the function at an address by arithmetic and a step or two, instead of a search through all of them: branches
/// and pointers are looked up by the hundred thousand.
struct FunctionIndex {
  private let base: UInt64
  /// By block of addresses: the first function that does not end before it.
  private var firsts: [Int32] = []

  static var empty: FunctionIndex { FunctionIndex() }

  private init() { base = 0 }

  /// 128 bytes: about a function a block.
  private static var shift: UInt64 { 7 }

  /// `range(index)` of `count` functions, ascending and without overlap. Where they lie so far apart that a table would
  /// not pay, it stays empty, and `first` is of no help.
  init(count: Int, _ range: (Int) -> AddressRange) {
    guard count > 0 else {
      self = .empty
      return
    }
    base = range(0).start
    let blocks = (range(count &- 1).end &- base) >> FunctionIndex.shift &+ 1
    guard blocks <= UInt64(count) &* 16 &+ 1024 else { return }
    firsts.reserveCapacity(Int(blocks))
    for index in 0..<count {
      let end = range(index).end
      // Blocks that begin before the function's end and that no function before reached.
      while UInt64(firsts.count) < blocks, base &+ UInt64(firsts.count) << FunctionIndex.shift < end {
        firsts.append(Int32(truncatingIfNeeded: index))
      }
    }
  }

  /// Where to begin looking for the function that holds `address`; nil: there is no table.
  @inline(__always)
  func first(for address: UInt64) -> Int? {
    guard address >= base else { return nil }
    let block = (address &- base) >> FunctionIndex.shift
    guard block < UInt64(firsts.count) else { return nil }
    return Int(firsts[Int(block)])
  }

  var isEmpty: Bool { firsts.isEmpty }
}
