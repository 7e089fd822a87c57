/// Registers that calls change: compilers rely on it that functions which they know do not change all that they may
/// (GCC's -fipa-ra).
struct ChangedRegisters {
  private let binary: Binary
  private var known: [Int: UInt16] = [:]
  /// Calls in calls that are followed.
  private static var maximumDepth: Int { 12 }

  init(_ binary: Binary) { self.binary = binary }

  /// `budget` counts instructions.
  mutating func mask(ofCall address: UInt64, _ budget: inout Int) -> UInt16 { mask(ofCall: address, 0, &budget) }

  private mutating func mask(ofCall address: UInt64, _ depth: Int, _ budget: inout Int) -> UInt16 {
    guard depth < ChangedRegisters.maximumDepth, let index = binary.code.index(startingAt: address) else {
      return .max
    }
    if let mask = known[index] { return mask }
    // Until it is known: it may call itself.
    known[index] = .max
    let function = binary.code.functions[index]
    guard function.isDecoded, !function.isLinkage, !callsOthers(function),
      let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count)
    else { return .max }
    let mask = mask(of: bytes, function.range, depth, &budget)
    known[index] = mask
    return mask
  }

  /// Functions of other objects may change all.
  private func callsOthers(_ function: CodeTable.Function) -> Bool {
    for reference in binary.code.references[function.first..<function.end] where reference.kind == .branch {
      guard let index = binary.code.index(startingAt: reference.target), !binary.code.functions[index].isLinkage
      else {
        return true
      }
    }
    return false
  }

  private mutating func mask(of bytes: Bytes, _ range: AddressRange, _ depth: Int, _ budget: inout Int) -> UInt16 {
    var mask: UInt16 = 0
    var offset = 0
    while offset < bytes.count, mask & FlowState.volatile != FlowState.volatile {
      budget &-= 1
      guard budget > 0, let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.length != 0 else {
        return .max
      }
      let encoding = RiskEncoding(instruction: instruction, bytes: bytes, start: offset)
      offset &+= Int(instruction.length)
      switch instruction.flow {
      case .next:
        let effect = FlowEffect(encoding)
        mask |= effect.changed | effect.doubtful
      case .call, .jump, .conditionalJump:
        let target = range.start &+ UInt64(offset) &+ UInt64(bitPattern: encoding.immediate)
        if instruction.flow == .conditionalJump { mask |= 1 << 1 & (instruction.opcode & 0xfc == 0xe0 ? .max : 0) }
        if instruction.flow == .call || !range.contains(target) {
          mask |= self.mask(ofCall: target, depth + 1, &budget)
        }
      case .indirectCall, .indirectJump: return .max
      case .return, .stop: break
      }
    }
    return mask
  }
}
