/// Where each state address of the new version has its home: piece by piece, a section each where the layout is the
/// same, else a variable or a run of variables each.
public struct StateMapping {
  public enum Kind: UInt8, Equatable, Sendable {
    /// The same variables, which stay where they are.
    case shared
    /// The same variables, only ever read, with other content: each version reads its own.
    case content
    /// Variables that the old version does not have: their place is in the new version.
    case new
  }

  public struct Piece {
    public let new: AddressRange
    /// Start of the same in the old version; 0 for what is new.
    public let old: UInt64
    /// Of the section.
    public let name: Bytes
    public let kind: Kind
    /// Where its last variable starts, if code takes that one's address, and may compute the end, which is where the
    /// next piece starts. nil: nothing of it ends there, as far as code is concerned.
    public let tail: UInt64?

    public var hasTakenEnd: Bool { tail != nil }

    init(new: AddressRange, old: UInt64, name: Bytes, kind: Kind = .shared, tail: UInt64?) {
      self.new = new
      self.old = old
      self.name = name
      self.kind = kind
      self.tail = tail
    }

    public var oldEnd: UInt64 { old &+ new.count }

    /// Does `address` of the new version, in the piece or near it, stand for `home` of the old one?
    fileprivate func agrees(_ address: UInt64, _ home: UInt64) -> Bool {
      kind != .new && home &- old == address &- new.start
    }
  }

  /// Sorted by address in the new version; they do not overlap, in neither version.
  public let pieces: [Piece]
  /// Indices of those with an old address, sorted by it.
  private let oldOrder: [Int32]

  public static var empty: StateMapping { StateMapping(pieces: []) }

  init(pieces: [Piece]) {
    let sorted = pieces.sorted { $0.new.start < $1.new.start }
    self.pieces = sorted
    var order: [Int32] = []
    for index in sorted.indices where sorted[index].kind != .new { order.append(Int32(truncatingIfNeeded: index)) }
    order.sort { sorted[Int($0)].old < sorted[Int($1)].old }
    oldOrder = order
  }

  /// Code may compute the address of an array's element -1 or the like: so far outside a section (in bytes), an
  /// address still counts as derived from the section, provided that nothing else is there.
  static var bias: UInt64 { 64 }

  /// Index of the first piece that ends behind `address`.
  private func firstIndex(endingBehind address: UInt64) -> Int {
    var low = 0
    var high = pieces.count
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].new.end <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The piece that holds `new`.
  public func piece(containing new: UInt64) -> Piece? {
    let index = firstIndex(endingBehind: new)
    return index < pieces.count && pieces[index].new.contains(new) ? pieces[index] : nil
  }

  /// Calls `body` for the piece that holds `address`, and those at most `bias` bytes away, until it returns true.
  private func anyNear(_ address: UInt64, _ body: (Piece) -> Bool) -> Bool {
    let first = firstIndex(endingBehind: address)
    if first < pieces.count, pieces[first].new.contains(address), body(pieces[first]) { return true }
    var index = first
    while index < pieces.count, pieces[index].new.start <= address &+ StateMapping.bias {
      if body(pieces[index]) { return true }
      index += 1
    }
    index = first - 1
    while index >= 0, pieces[index].new.end &+ StateMapping.bias >= address {
      if body(pieces[index]) { return true }
      index -= 1
    }
    return false
  }

  /// The old address of `new`, which lies in a state section or is the end of one.
  public func old(for new: UInt64) -> UInt64? {
    let index = firstIndex(endingBehind: new)
    if index < pieces.count, pieces[index].new.contains(new) {
      return pieces[index].kind == .new ? nil : pieces[index].old &+ (new &- pieces[index].new.start)
    }
    guard index > 0, pieces[index - 1].new.end == new, pieces[index - 1].kind != .new else { return nil }
    return pieces[index - 1].oldEnd
  }

  /// The new version's address of an old one in state.
  public func new(for old: UInt64) -> UInt64? {
    var low = 0
    var high = oldOrder.count
    while low < high {
      let middle = (low + high) / 2
      if pieces[Int(oldOrder[middle])].oldEnd <= old { low = middle + 1 } else { high = middle }
    }
    guard low < oldOrder.count else { return nil }
    let piece = pieces[Int(oldOrder[low])]
    return old >= piece.old && old < piece.oldEnd ? piece.new.start &+ (old &- piece.old) : nil
  }

  /// Do `new` and `old` stand for the same place? An address that code only computes may be the end of a piece as
  /// well as the start of the next, or lie just outside of the piece that it is derived from.
  public func agrees(new: UInt64, old: UInt64, isAddress: Bool = true) -> Bool {
    if let piece = piece(containing: new) {
      if piece.agrees(new, old) { return true }
      guard isAddress else { return false }
    }
    return anyNear(new) { $0.agrees(new, old) }
  }

  /// Is `new` in state or the end of it, and `old` the same place there?
  public func isSame(new: UInt64, old: UInt64) -> Bool {
    let index = firstIndex(endingBehind: new)
    if index < pieces.count, pieces[index].new.contains(new), pieces[index].agrees(new, old) { return true }
    return index > 0 && pieces[index - 1].new.end == new && pieces[index - 1].agrees(new, old)
  }

  /// Where an address that code computes has its home.
  public enum Home: Equatable {
    case none
    case at(UInt64)
    /// In the new version itself.
    case own
    /// Derived from one of two pieces, which lie at another distance in the old version.
    case ambiguous
  }

  /// Start of the variable before the one at `address`, the start of a piece, if code may mean its end.
  func tail(before address: UInt64) -> UInt64? {
    let index = firstIndex(endingBehind: address)
    return index > 0 && pieces[index - 1].new.end == address ? pieces[index - 1].tail : nil
  }

  /// The home of an address that lies in state or at most `bias` bytes outside of it. `isAddress`: code takes it, but
  /// accesses nothing there, so that it may be the end of something.
  public func home(for new: UInt64, isAddress: Bool = true) -> Home {
    let index = firstIndex(endingBehind: new)
    if index < pieces.count, pieces[index].new.contains(new) {
      let home = pieces[index].home(of: new)
      if isAddress, index > 0, pieces[index - 1].new.end == new, pieces[index - 1].hasTakenEnd,
        pieces[index - 1].home(of: new) != home
      {
        return .ambiguous
      }
      return home
    }
    var found = Home.none
    _ = anyNear(new) { (piece) in
      let candidate = piece.home(of: new)
      if found == .none { found = candidate } else if found != candidate { found = .ambiguous }
      return found == .ambiguous
    }
    return found
  }
}

extension StateMapping.Piece {
  /// Where an address in the piece, or derived from it, has its home.
  fileprivate func home(of address: UInt64) -> StateMapping.Home {
    kind == .shared ? .at(old &+ (address &- new.start)) : .own
  }
}
