/// How one version gets at a word of its state.
struct PointerHome {
  private let binary: Binary
  private let anchors: StateAnchors
  /// Functions that take an address in state, by that address; ascending.
  private var takers: [UInt64: [Int]] = [:]

  init(_ binary: Binary, _ isEqual: [Bool]) {
    self.binary = binary
    anchors = StateAnchors(binary, isEqual: isEqual)
    for index in binary.code.functions.indices {
      let function = binary.code.functions[index]
      for reference in binary.code.references[function.first..<function.end]
      where reference.kind == .address && binary.isInState(reference.target) {
        if takers[reference.target]?.last != index { takers[reference.target, default: []].append(index) }
      }
    }
  }

  /// Variables of this kind (tables of functions, descriptions) are no larger.
  private static var maximumSize: UInt64 { 512 }

  /// Distances from addresses that something takes: the nearest one before the word, which a variable starts at, and
  /// those before that the same functions take, since it may be a part of what starts there.
  func offsets(of address: UInt64) -> [UInt64] {
    var found: [UInt64] = []
    var nearest: UInt64?
    var index = anchors.lowerBound(address &+ 1)
    while index > 0 {
      index -= 1
      let anchor = anchors.all[index]
      if address &- anchor.address > PointerHome.maximumSize { break }
      guard anchor.isTaken, anchor.size == 0 || address &- anchor.address < anchor.size else { continue }
      if let nearest, !shareTaker(nearest, anchor.address) { continue }
      nearest = nearest ?? anchor.address
      found.append(address &- anchor.address)
    }
    return found
  }

  private func shareTaker(_ a: UInt64, _ b: UInt64) -> Bool {
    guard let left = takers[a], let right = takers[b] else { return false }
    var (i, j) = (0, 0)
    while i < left.count, j < right.count {
      if left[i] == right[j] { return true }
      if left[i] < right[j] { i += 1 } else { j += 1 }
    }
    return false
  }

  /// May code of this version write to it, directly, or in a function that takes the variable's address?
  func isWritten(_ address: UInt64) -> Bool {
    var index = anchors.lowerBound(address &+ 8)
    while index > 0 {
      index -= 1
      let anchor = anchors.all[index]
      if address &- anchor.address > PointerHome.maximumSize, anchor.address < address { break }
      if anchor.mayBeWritten, anchor.address &+ anchor.width > address { return true }
    }
    for offset in offsets(of: address) where isWritten(offset, behind: address &- offset) { return true }
    return false
  }

  /// In a function that takes the address `start`: is there a store `offset` behind any pointer?
  private func isWritten(_ offset: UInt64, behind start: UInt64) -> Bool {
    for index in takers[start] ?? [] where isWritten(offset, in: binary.code.functions[index]) { return true }
    return false
  }

  private func isWritten(_ offset: UInt64, in function: CodeTable.Function) -> Bool {
    guard let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count) else {
      return true
    }
    var position = 0
    while position < bytes.count {
      guard let instruction = InstructionDecoder.decode(bytes, at: position), instruction.length != 0 else {
        return true
      }
      let encoding = RiskEncoding(instruction: instruction, bytes: bytes, start: position)
      if let base = encoding.base, base != RiskEncoding.stackPointer, !instruction.isNop, !encoding.isAddress,
        UInt64(bitPattern: Int64(encoding.displacement)) == offset,
        MemoryAccess(instruction, bytes, at: position).mayWrite
      {
        return true
      }
      position += Int(instruction.length)
    }
    return false
  }
}
