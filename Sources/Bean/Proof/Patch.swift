/// A displacement in the new version's code that must be changed so that it reaches the variable's home.
public struct Patch: Equatable {
  /// Address of the four displacement bytes, in the new version.
  public let fieldAddress: UInt64
  /// The displacement counts from here.
  public let instructionEnd: UInt64
  /// What the code refers to as it is, in the new version.
  public let newTarget: UInt64
  /// The same place in the old version.
  public let oldTarget: UInt64
  /// The displacement of the same instruction in the old version; 0: not known.
  public let oldField: UInt64
  /// The address is only computed.
  public let isAddress: Bool

  public init(
    fieldAddress: UInt64, instructionEnd: UInt64, newTarget: UInt64, oldTarget: UInt64, oldField: UInt64 = 0,
    isAddress: Bool = false
  ) {
    self.oldField = oldField
    self.isAddress = isAddress
    self.fieldAddress = fieldAddress
    self.instructionEnd = instructionEnd
    self.newTarget = newTarget
    self.oldTarget = oldTarget
  }
}
