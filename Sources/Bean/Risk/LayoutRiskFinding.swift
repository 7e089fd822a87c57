/// Something that changed functions have in common and that points to another layout of structures on the heap. It
/// is no proof, and no reason for a refusal by itself.
public struct LayoutRiskFinding {
  public enum Kind: UInt8, Equatable, Sendable {
    /// Functions use fields at displacements that are all higher, or lower, by the same number.
    case shiftedFields
    /// A function asks for another size of memory.
    case allocationSize
  }

  public let kind: Kind
  /// One of the functions that show it, of the new version.
  public let function: Place
  /// The lowest displacement there that is another one now; or the size in bytes.
  public let oldValue: UInt64
  public let newValue: UInt64
  /// How many functions show it.
  public let functions: Int
}
