/// A function by what it is looked up with.
struct Keyed {
  let key: UInt64
  let index: Int

  static func isBefore(_ a: Keyed, _ b: Keyed) -> Bool { a.key != b.key ? a.key < b.key : a.index < b.index }
}

extension FunctionMatcher {
  /// Calls `body` for each key that both sorted lists have exactly once.
  static func forEachUniquePair(_ left: [Keyed], _ right: [Keyed], _ body: (Int, Int) -> Void) {
    forEachGroup(left, right) { (a, b) in
      if a.count == 1, b.count == 1 { body(left[a.lowerBound].index, right[b.lowerBound].index) }
    }
  }

  /// Calls `body` with the two ranges of each key that both sorted lists have.
  static func forEachGroup(_ left: [Keyed], _ right: [Keyed], _ body: (Range<Int>, Range<Int>) -> Void) {
    var (i, j) = (0, 0)
    while i < left.count, j < right.count {
      let (a, b) = (left[i].key, right[j].key)
      if a < b {
        i += 1
      } else if b < a {
        j += 1
      } else {
        let (firstI, firstJ) = (i, j)
        while i < left.count, left[i].key == a { i += 1 }
        while j < right.count, right[j].key == a { j += 1 }
        body(firstI..<i, firstJ..<j)
      }
    }
  }
}
