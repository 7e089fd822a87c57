/// ModRM, SIB, displacement and immediates (Intel SDM volume 2, 2.1.3 to 2.1.5 and 2.2.1).
extension DecoderCursor {
  /// Takes what the letter of `DecoderLayouts` says.
  @inline(__always)
  mutating func takeOperands(_ layout: UInt8) -> Bool {
    switch layout {
    case UInt8(ascii: "."): return true
    case UInt8(ascii: "M"): return takeModRM()
    case UInt8(ascii: "m"): return takeModRM() && takeImmediate(1)
    case UInt8(ascii: "Z"): return takeModRM() && takeImmediate(operandSized)
    case UInt8(ascii: "b"): return takeImmediate(1)
    case UInt8(ascii: "z"): return takeImmediate(operandSized)
    case UInt8(ascii: "j"): return takeBranchTarget(1)
    case UInt8(ascii: "J"): return takeBranchTarget(4)
    default: return takeRareOperands(layout)
    }
  }

  private mutating func takeRareOperands(_ layout: UInt8) -> Bool {
    switch layout {
    case UInt8(ascii: "w"): return takeImmediate(2)
    case UInt8(ascii: "e"): return takeImmediate(3)
    case UInt8(ascii: "v"): return takeImmediate(result.isWide ? 8 : hasOperandSize ? 2 : 4)
    case UInt8(ascii: "o"):
      let size = hasAddressSize ? 4 : 8
      result.displacementOffset = UInt8(truncatingIfNeeded: position)
      result.displacementSize = UInt8(truncatingIfNeeded: size)
      return skip(size)
    case UInt8(ascii: "r"):
      guard let byte = next() else { return false }
      result.modRM = byte
      result.hasModRM = true
      return true
    case UInt8(ascii: "t"): return takeModRM() && takeImmediate(isTest ? 1 : 0)
    case UInt8(ascii: "T"): return takeModRM() && takeImmediate(isTest ? operandSized : 0)
    case UInt8(ascii: "q"): return takeModRM() && takeImmediate(mandatoryPrefix == 0 ? 0 : 2)
    default: return false
    }
  }

  /// F6 and F7: /0 is TEST, and so is /1, which the manuals leave out.
  private var isTest: Bool { result.modRM & 0x30 == 0 }

  private var operandSized: Int { hasOperandSize && !result.isWide ? 2 : 4 }

  @inline(__always)
  mutating func takeImmediate(_ size: Int) -> Bool {
    if size == 0 { return true }
    result.immediateOffset = UInt8(truncatingIfNeeded: position)
    result.immediateSize = UInt8(truncatingIfNeeded: size)
    return skip(size)
  }

  @inline(__always)
  mutating func takeBranchTarget(_ size: Int) -> Bool {
    result.isRelativeBranch = true
    return takeImmediate(size)
  }

  @inline(__always)
  mutating func takeModRM() -> Bool {
    guard let modRM = next() else { return false }
    result.modRM = modRM
    result.hasModRM = true
    if modRM >= 0xc0 { return true }
    let mod = modRM >> 6
    var size = mod == 1 ? 1 : mod == 2 ? 4 : 0
    if modRM & 7 == 4 {
      guard let sib = next() else { return false }
      if mod == 0, sib & 7 == 5 { size = 4 }
    } else if mod == 0, modRM & 7 == 5 {
      size = 4
      result.isRIPRelative = true
    }
    if size == 0 { return true }
    result.displacementOffset = UInt8(truncatingIfNeeded: position)
    result.displacementSize = UInt8(truncatingIfNeeded: size)
    return skip(size)
  }
}
