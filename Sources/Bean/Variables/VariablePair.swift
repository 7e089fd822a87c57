/// What became of a variable of the state sections. In stripped files a variable is what lies between two addresses
/// that anything refers to; a field of a structure that code refers to directly counts as one of its own.
public struct VariablePair: Equatable {
  public enum Kind: UInt8, Equatable, Sendable {
    /// At the same place of the same section.
    case kept
    case moved
    /// Its counterpart takes more room than it has.
    case grown
    /// The same, but for its initial content, which no code changes.
    case content
    case new
    case gone
    /// Of the new version, and nothing tells whether it is new, or one of the old version's.
    case unplaced

    /// Stable: tools and tests compare it.
    public var code: StaticString {
      switch self {
      case .kept: "kept"
      case .moved: "moved"
      case .grown: "grown"
      case .content: "content"
      case .new: "new"
      case .gone: "gone"
      case .unplaced: "unplaced"
      }
    }
  }

  /// What showed it, the strongest first.
  public enum Evidence: UInt8, Equatable, Sendable {
    case name
    /// Equal functions that are matched beyond doubt.
    case equalCode
    /// A pointer in data that corresponds.
    case pointer
    /// Equal functions that are matched by their order.
    case similarCode
    /// Equal surroundings of references in changed functions.
    case changedCode
    /// Its neighbours.
    case position
    case none

    /// Stable: tools and tests compare it.
    public var code: StaticString {
      switch self {
      case .name: "name"
      case .equalCode: "equal-code"
      case .pointer: "pointer"
      case .similarCode: "similar-code"
      case .changedCode: "changed-code"
      case .position: "position"
      case .none: "none"
      }
    }
  }

  public let kind: Kind
  /// nil for what is new.
  public let old: AddressRange?
  /// nil for what is gone.
  public let new: AddressRange?
  public let evidence: Evidence
  /// References, pointers or names that say so.
  public let support: Int
  /// The initial content is another one; pointers count by what they point to.
  public internal(set) var hasOtherContent = false
}
