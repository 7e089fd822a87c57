/// What the old version says about a candidate that decoding does not explain.
extension BindingProof {
  enum Testimony: Equatable {
    /// It has no such place.
    case none
    /// It has the same four bytes among the same neighbours, where they would reach another variable or none: a real
    /// reference would have changed with the distance.
    case refuted
    /// Among the same neighbours it has another value that reaches the same variable: this is a reference, to there.
    case confirmed(UInt64)
  }

  /// Bytes before and behind the candidate's four that must be the same.
  private static var neighbours: UInt64 { 16 }

  func testimony(_ address: UInt64, _ target: UInt64) -> Testimony {
    guard let region = new.regions.region(containing: address),
      let home = comparison.old.regions.regions.first(where: { $0.name == region.name && $0.kind == region.kind }),
      let bytes = comparison.old.file.image.bytes(at: home.range.start, count: home.range.count),
      let all = new.file.image.bytes(at: region.range.start, count: region.range.count)
    else { return .none }
    let offset = address &- region.range.start
    let before = min(offset, BindingProof.neighbours)
    let behind = min(region.range.count &- offset &- 4, BindingProof.neighbours)
    guard before >= 8, behind >= 8, let head = all.slice(at: offset &- before, count: before),
      let tail = all.slice(at: offset &+ 4, count: behind)
    else { return .none }
    let judge = { (first: UInt64) -> Testimony in
      guard bytes.slice(at: first &+ before &+ 4, count: behind) == tail else { return .none }
      return testimony(address, target, from: home.range.start &+ first &+ before)
    }
    // Where it should be, or as far off as what was searched for before.
    let guess = expected(address)
    for shift in comparison.shifts {
      let first = guess &+ shift &- before &- home.range.start
      if bytes.slice(at: first, count: before) == head, judge(first) != .none { return judge(first) }
    }
    guard comparison.searchBudget > 0 else { return .none }
    comparison.searchBudget -= 1
    var result = Testimony.none
    bytes.forEachOccurrence(of: head) { (position) in
      result = judge(position)
      if result == .none { return false }
      comparison.note(shift: home.range.start &+ position &+ before &- guess)
      return true
    }
    return result
  }

  /// `place` is that of the four bytes in the old version.
  private func testimony(_ address: UInt64, _ target: UInt64, from place: UInt64) -> Testimony {
    guard let before = comparison.old.file.image.load(Int32.self, at: place),
      let after = new.file.image.load(Int32.self, at: address)
    else { return .none }
    let reached = place &+ (target &- address) &+ UInt64(bitPattern: Int64(before) &- Int64(after))
    let agrees = comparison.mapping.isSame(new: target, old: reached)
    if before == after { return agrees ? .none : .refuted }
    return agrees ? .confirmed(reached) : .none
  }

  /// Where `address` of the new version is likely to be found in the old one: at the same distance from the function
  /// before it, or from the start of the section.
  private func expected(_ address: UInt64) -> UInt64 {
    if let index = new.code.index(atOrBefore: address), comparison.matches.oldOfNew[index] >= 0 {
      let before = comparison.old.code.functions[Int(comparison.matches.oldOfNew[index])].range
      let range = new.code.functions[index].range
      if range.contains(address) { return before.start &+ (address &- range.start) }
      return before.end &+ (address &- range.end)
    }
    return address
  }
}

extension Bytes {
  /// Calls `body` with each offset at which `window` occurs, until it returns true.
  func forEachOccurrence(of window: Bytes, _ body: (UInt64) -> Bool) {
    guard let first = window.load(UInt64.self, at: 0) else { return }
    withUnsafeBytes { (raw) in
      guard raw.count >= 8 else { return }
      let last = raw.count &- 8
      let start = SIMD4(repeating: UInt32(truncatingIfNeeded: first))
      var position = 0
      while position <= last {
        // Sixteen at a time, by four of the eight bytes.
        if position &+ 15 <= last, !raw.hasWord(start, at: position) {
          position &+= 16
          continue
        }
        let end = min(position &+ 15, last)
        while position <= end {
          if raw.loadUnaligned(fromByteOffset: position, as: UInt64.self) == first {
            let offset = UInt64(truncatingIfNeeded: position)
            if slice(at: offset, count: UInt64(window.count)) == window, body(offset) { return }
          }
          position &+= 1
        }
      }
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether the word is at one of sixteen positions, all of which have four bytes.
  @inline(__always)
  fileprivate func hasWord(_ word: SIMD4<UInt32>, at position: Int) -> Bool {
    let isThere =
      loadUnaligned(fromByteOffset: position, as: SIMD4<UInt32>.self) .== word
      .| loadUnaligned(fromByteOffset: position &+ 1, as: SIMD4<UInt32>.self) .== word
      .| loadUnaligned(fromByteOffset: position &+ 2, as: SIMD4<UInt32>.self) .== word
      .| loadUnaligned(fromByteOffset: position &+ 3, as: SIMD4<UInt32>.self) .== word
    let halves = unsafeBitCast(isThere, to: SIMD2<UInt64>.self)
    return halves[0] | halves[1] != 0
  }
}

extension CodeTable {
  /// Index of the last function that starts at or before `address`.
  func index(atOrBefore address: UInt64) -> Int? {
    var low = 0
    var high = functions.count
    while low < high {
      let middle = (low &+ high) / 2
      if functions[middle].range.start <= address { low = middle &+ 1 } else { high = middle }
    }
    return low > 0 ? low - 1 : nil
  }
}
