/// Where each state address of the new version has its home in the old one: piece by piece, a section each.
public struct StateMapping {
  public struct Piece {
    public let new: AddressRange
    /// Start of the same section in the old version.
    public let old: UInt64
    public let name: Bytes

    public var oldEnd: UInt64 { old &+ new.count }
  }

  /// Sorted by address in the new version.
  public private(set) var pieces: [Piece]

  public static var empty: StateMapping { StateMapping(pieces: []) }

  init(pieces: [Piece]) { self.pieces = pieces.sorted { $0.new.start < $1.new.start } }

  /// Code may compute the address of an array's element -1 or the like: so far outside a section (in bytes), an
  /// address still counts as derived from the section, provided that nothing else is there.
  static var bias: UInt64 { 64 }

  /// The old address of `new`, which lies in a state section or is the end of one.
  public func old(for new: UInt64) -> UInt64? {
    var behind: UInt64?
    for piece in pieces {
      if piece.new.contains(new) { return piece.old &+ (new &- piece.new.start) }
      if piece.new.end == new { behind = piece.oldEnd }
    }
    return behind
  }

  /// Do `new` and `old` stand for the same place? At the border of two sections either reading may be meant, and
  /// a biased address may lie just outside of the section that it is derived from.
  public func agrees(new: UInt64, old: UInt64) -> Bool {
    for piece in pieces
    where new &- (piece.new.start &- StateMapping.bias) <= piece.new.count &+ 2 &* StateMapping.bias {
      if old &- piece.old == new &- piece.new.start { return true }
    }
    return false
  }

  /// Is `new` in a state section or the end of one, and `old` the same place there?
  public func isSame(new: UInt64, old: UInt64) -> Bool {
    for piece in pieces where new >= piece.new.start && new <= piece.new.end {
      if old &- piece.old == new &- piece.new.start { return true }
    }
    return false
  }

  /// Where an address that code computes has its home.
  public enum Home: Equatable {
    case none
    case at(UInt64)
    /// Derived from one of two sections, which lie at another distance in the old version.
    case ambiguous
  }

  /// The home of an address that lies in a state section or at most `bias` bytes outside of one.
  public func home(for new: UInt64) -> Home {
    for piece in pieces where piece.new.contains(new) {
      let home = piece.old &+ (new &- piece.new.start)
      for other in pieces where other.new.end == new && other.oldEnd != home { return .ambiguous }
      return .at(home)
    }
    var found = Home.none
    for piece in pieces where new &+ StateMapping.bias >= piece.new.start && new <= piece.new.end &+ StateMapping.bias
    {
      let candidate = Home.at(piece.old &+ (new &- piece.new.start))
      if found == .none { found = candidate } else if found != candidate { return .ambiguous }
    }
    return found
  }
}
