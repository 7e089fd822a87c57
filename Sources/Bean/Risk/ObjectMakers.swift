/// Who makes the objects whose layout may have changed, in the old version.
struct ObjectMakers {
  private let risk: LayoutRisk

  init(_ risk: LayoutRisk) { self.risk = risk }

  /// The functions that ask for them. `changed`: the old sizes of `allocations`; `found`: other sizes, which are the same
  /// in both versions.
  func functions(
    _ allocations: [LayoutRisk.Allocation], _ changed: [UInt64], _ found: [ObjectOrigins.Size]
  ) -> [Int] {
    var functions = Set(allocations.map { $0.oldFunction })
    functions.formUnion(found.map { $0.maker })
    let old = risk.comparison.old
    // Whoever asks for these sizes may make such an object, in equal functions as well.
    let unchanged = found.map { $0.bytes }
    for index in old.code.functions.indices where !functions.contains(index) {
      if old.code.functions[index].isLinkage { continue }
      if isUncompared(index, changed) || !unchanged.isEmpty && mentions(index, unchanged) { functions.insert(index) }
    }
    return functions.sorted()
  }

  /// A function that changed, or is gone, and asks for such a size in a call of which it is not known that the new
  /// version asks for the same there.
  private func isUncompared(_ index: Int, _ sizes: [UInt64]) -> Bool {
    let (old, matches) = (risk.comparison.old, risk.comparison.matches)
    let match = Int(matches.newOfOld[index])
    if sizes.isEmpty || match >= 0 && matches.isEqual[match] || risk.wholeFunctions.contains(index) { return false }
    guard mentions(index, sizes) else { return false }
    guard let sequence = RiskSequence(old, old.code.functions[index]) else { return true }
    let isCompared = risk.comparedFunctions.contains(index)
    return risk.calls.old.calls(in: sequence.steps).contains {
      sizes.contains($0.size) && ($0.callee == 0 || !isCompared)
    }
  }

  /// Some instruction, as far as the bytes show, puts one of these numbers into a register: MOV r32, imm32, MOV r64,
  /// imm32, or PUSH imm8 and POP.
  private func mentions(_ index: Int, _ sizes: [UInt64]) -> Bool {
    let old = risk.comparison.old
    let range = old.code.functions[index].range
    guard let bytes = old.file.image.bytes(at: range.start, count: range.count) else { return true }
    var offset = 0
    while offset < bytes.count {
      let byte = bytes[offset]
      var value: UInt64?
      if byte & 0xf8 == 0xb8 {
        value = bytes.load(UInt32.self, at: offset &+ 1).map { UInt64($0) }
      } else if byte == 0xc7, bytes[offset &+ 1] & 0xf8 == 0xc0 {
        value = bytes.load(UInt32.self, at: offset &+ 2).map { UInt64($0) }
      } else if byte == 0x6a, bytes[offset &+ 2] & 0xf8 == 0x58 {
        value = UInt64(bytes[offset &+ 1])
      }
      if let value, sizes.contains(value) { return true }
      offset &+= 1
    }
    return false
  }
}
