/// Why two versions cannot share state, with what a user needs in order to find the place.
public struct Refusal {
  public enum Kind: UInt8, Equatable, Sendable {
    /// Without section headers, state and constants can't be told apart.
    case noSections
    /// A position-dependent executable, or text relocations: code is not bound by displacements alone.
    case notPositionIndependent
    /// A state section exists on one side only, or with another size or stricter alignment.
    case stateSize
    /// Initial content differs.
    case stateContent
    /// A variable with a name lies elsewhere or has another size.
    case variableMoved
    /// A variable with a home of its own would need more room than there is.
    case variableGrown
    /// A variable of the new version may be new, or one of those that the old version has.
    case variableUnplaced
    /// The same code refers to another variable.
    case codeDisagrees
    /// Thread-local storage has another size, alignment or use.
    case threadLayout
    /// An init function that the old version does not have, or that changed.
    case constructorChanged
    /// An export in use is gone or has become something else.
    case exportMissing
    /// A reference to state may have been missed.
    case bindingUnproved
    /// Code of the medium or large model.
    case largeModel

    /// Stable: tools and tests compare it.
    public var code: StaticString {
      switch self {
      case .noSections: "no-sections"
      case .notPositionIndependent: "not-position-independent"
      case .stateSize: "state-size"
      case .stateContent: "state-content"
      case .variableMoved: "variable-moved"
      case .variableGrown: "variable-grown"
      case .variableUnplaced: "variable-unplaced"
      case .codeDisagrees: "code-disagrees"
      case .threadLayout: "tls-layout"
      case .constructorChanged: "constructor-changed"
      case .exportMissing: "export-missing"
      case .bindingUnproved: "binding-unproved"
      case .largeModel: "large-model"
      }
    }
  }

  public let kind: Kind
  /// The function it was found in, of the new version.
  public var function: Place?
  /// What it is about, in each version: variable, symbol, section.
  public var old: Place?
  public var new: Place?
  /// Sizes or values that differ; nil where there is nothing to compare.
  public var oldValue: UInt64?
  public var newValue: UInt64?

  public init(
    _ kind: Kind, function: Place? = nil, old: Place? = nil, new: Place? = nil, oldValue: UInt64? = nil,
    newValue: UInt64? = nil
  ) {
    self.kind = kind
    self.function = function
    self.old = old
    self.new = new
    self.oldValue = oldValue
    self.newValue = newValue
  }
}
