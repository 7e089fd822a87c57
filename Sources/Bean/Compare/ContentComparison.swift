import CKernel

/// Initial content, compared by what it means: a word that is relocated counts as what it refers to, and constants
/// that are referred to count by their own content.
struct ContentComparison {
  /// Two places that are expected to have the same content, and the state word that led there.
  private struct Pair: Hashable {
    let old: UInt64
    let new: UInt64
  }

  private let comparison: Comparison
  private let old: Binary
  private let new: Binary
  private let extents: (old: ExtentMap, new: ExtentMap)
  private var visited: Set<Pair> = []
  private var pending: [(pair: Pair, root: Pair)] = []
  /// Bytes that may still be compared: pairs of objects can be quadratic in number in a hostile file.
  private var budget: UInt64
  /// Differences are counted only: the caller asks about one variable after the other.
  private var isAsking = false
  private var differences = 0
  /// Words whose pointers are other ones, and may follow the new version.
  private var following: Set<Pair> = []
  /// What was visited for the variable in question.
  private var recent: [Pair] = []

  init(_ comparison: Comparison) {
    self.comparison = comparison
    old = comparison.old
    new = comparison.new
    extents = (ExtentMap(comparison.old), ExtentMap(comparison.new))
    budget = 2 &* UInt64(old.file.bytes.count &+ new.file.bytes.count) &+ 65536
  }

  /// All state that is shared, with its counterpart.
  mutating func compareState() {
    for piece in comparison.mapping.pieces where piece.kind == .shared {
      compare(old: piece.old, new: piece.new.start, count: piece.new.count, root: nil)
      finishPending()
    }
  }

  /// The image of thread-local storage, `count` bytes in both.
  mutating func compareThreadImage(old oldStart: UInt64, new newStart: UInt64, count: UInt64) {
    compare(old: oldStart, new: newStart, count: count, root: nil)
    finishPending()
  }

  /// Is the initial content of two variables the same? Nothing is reported.
  mutating func isSame(old oldStart: UInt64, new newStart: UInt64, count: UInt64) -> Bool {
    isAsking = true
    defer { isAsking = false }
    differences = 0
    recent.removeAll(keepingCapacity: true)
    compare(old: oldStart, new: newStart, count: count, root: nil)
    finishPending()
    if differences == 0 { return true }
    // The next variable that leads there differs as well.
    for pair in recent { visited.remove(pair) }
    return false
  }

  private mutating func finishPending() {
    while let next = pending.popLast() {
      if isAsking, differences != 0 { return pending.removeAll() }
      let (a, b) = (extents.old.extent(at: next.pair.old), extents.new.extent(at: next.pair.new))
      if a == b, a != 0 {
        compare(old: next.pair.old, new: next.pair.new, count: a, root: next.root)
      } else if !isSameText(next.pair) {
        compareUnequal(next.pair, a, b, root: next.root)
      }
    }
  }

  /// Objects whose extents differ, since something inside or behind them is referred to in one version only: a string
  /// ends at its NUL in any case (and linkers let the tail of one string serve as another).
  private mutating func isSameText(_ pair: Pair) -> Bool {
    guard let left = text(old, at: pair.old), let right = text(new, at: pair.new), left == right else { return false }
    return left.isTextual
  }

  private mutating func text(_ binary: Binary, at address: UInt64) -> Bytes? {
    guard let text = binary.string(at: address), UInt64(text.count) <= budget else { return nil }
    budget -= UInt64(text.count)
    return text
  }

  /// Other objects must be the same, but for zeros behind the shorter one, which are padding.
  private mutating func compareUnequal(_ pair: Pair, _ a: UInt64, _ b: UInt64, root: Pair) {
    let common = min(a, b)
    let rest =
      a > b
      ? old.file.image.bytes(at: pair.old &+ common, count: a &- common)
      : new.file.image.bytes(at: pair.new &+ common, count: b &- common)
    var isPadding = common != 0 && (rest?.count ?? 64) < 64
    if let rest, isPadding { for index in 0..<rest.count where rest[index] != 0 { isPadding = false } }
    guard isPadding else {
      report(root)
      return
    }
    compare(old: pair.old, new: pair.new, count: common, root: root)
  }

  /// Compares `count` bytes; differences are reported at `root`, or where they are without one.
  private mutating func compare(old oldStart: UInt64, new newStart: UInt64, count: UInt64, root: Pair?) {
    var i = old.relocations.lowerBound(oldStart)
    var j = new.relocations.lowerBound(newStart)
    var position: UInt64 = 0
    // State itself is looked at once; what it leads to may be led to often.
    if let root {
      guard count <= budget else { return report(root) }
      budget -= count
    }
    while true {
      let a = i < old.relocations.entries.count ? old.relocations.entries[i].address &- oldStart : count
      let b = j < new.relocations.entries.count ? new.relocations.entries[j].address &- newStart : count
      let next = min(a, b, count)
      if next > position, let different = firstDifference(oldStart, newStart, position, next) {
        report(root ?? Pair(old: oldStart &+ different, new: newStart &+ different))
        if root != nil { return }
      }
      if next >= count { return }
      let place = Pair(old: oldStart &+ next, new: newStart &+ next)
      let isSame = a == b && isSameTarget(old.relocations.entries[i], new.relocations.entries[j], root ?? place)
      if !isSame {
        report(root ?? place)
        if root != nil { return }
      }
      if a == next { i += 1 }
      if b == next { j += 1 }
      position = max(position, next &+ 8)
    }
  }

  /// Offset of the first of the bytes [from, to) that differs. Memory without bytes in the file is zero.
  private func firstDifference(_ oldStart: UInt64, _ newStart: UInt64, _ from: UInt64, _ to: UInt64) -> UInt64? {
    let left = old.file.image.bytes(at: oldStart &+ from, count: to &- from)
    let right = new.file.image.bytes(at: newStart &+ from, count: to &- from)
    guard let left, let right else {
      guard let some = left ?? right else { return nil }
      for index in 0..<some.count where some[index] != 0 { return from &+ UInt64(index) }
      return nil
    }
    if left == right { return nil }
    for index in 0..<left.count where left[index] != right[index] { return from &+ UInt64(index) }
    return nil
  }

  private mutating func isSameTarget(
    _ a: RelocationIndex.Entry, _ b: RelocationIndex.Entry, _ root: Pair
  ) -> Bool {
    guard a.type == b.type else { return false }
    if a.type == UInt32(R_X86_64_RELATIVE) || a.type == UInt32(R_X86_64_IRELATIVE) {
      return isSameAddress(UInt64(bitPattern: a.addend), UInt64(bitPattern: b.addend), root)
    }
    return comparison.isSameSymbol(a, b)
  }

  private mutating func isSameAddress(_ a: UInt64, _ b: UInt64, _ root: Pair) -> Bool {
    // Relocation goes by what starts at an address, not by what ends there.
    if comparison.mapping.old(for: b) == a { return true }
    let (left, right) = (old.regions.region(containing: a), new.regions.region(containing: b))
    guard let left, let right else {
      return left == nil && right == nil && old.place(at: a).isSame(as: new.place(at: b))
    }
    switch (left.kind, right.kind) {
    case (.code, .code):
      return comparison.isSameCode(old: a, new: b) || comparison.pairByPlace(old: a, new: b)
    case (.readOnly, .readOnly), (.relro, .relro), (.readOnly, .relro), (.relro, .readOnly):
      let pair = Pair(old: a, new: b)
      if visited.insert(pair).inserted {
        pending.append((pair, root))
        if isAsking { recent.append(pair) }
      }
      return true
    case (.got, .got): return comparison.isSameSlot(old: a, new: b)
    default: return false
    }
  }

  private mutating func report(_ place: Pair) {
    differences += 1
    if isAsking { return }
    let pointer = InitialPointer(old: place.old, new: place.new)
    if comparison.isInitialPointer(pointer) {
      if following.insert(place).inserted { comparison.pointers.append(pointer) }
      return
    }
    comparison.refuse(
      Refusal(
        .stateContent, old: old.place(at: place.old), new: new.place(at: place.new),
        oldValue: old.value(at: place.old), newValue: new.value(at: place.new)))
  }
}

extension Place {
  /// The end of sections of the same name, or address 0 in both.
  func isSame(as other: Place) -> Bool {
    name == other.name && (name.count != 0 || address == 0 && other.address == 0)
  }
}

extension Binary {
  /// The string at `address`. Longer ones than 4 KiB count as other data.
  func string(at address: UInt64) -> Bytes? {
    guard let all = file.image.bytes(from: address) else { return nil }
    return all.slice(at: 0, count: min(UInt64(all.count), 4096))?.cString(at: 0)
  }

  /// The word at `address`, for a message: what a relocation makes of it, or its content.
  func value(at address: UInt64) -> UInt64? {
    if let entry = relocations.entry(at: address), entry.symbol == 0 { return UInt64(bitPattern: entry.addend) }
    if let word = file.image.load(UInt64.self, at: address) { return word }
    return file.image.load(UInt8.self, at: address).map { UInt64($0) }
  }
}
