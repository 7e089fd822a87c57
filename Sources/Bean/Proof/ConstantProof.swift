import CKernel

/// Relative references from read-only data to state: unwind tables have them, and so do relative tables of LLVM and
/// the metadata of Swift.
extension BindingProof {
  /// More words than this that look like references are not looked at one by one, but count against the proof.
  static var maximumConstantCandidates: Int { 1 << 14 }

  mutating func scanConstants() {
    guard !new.state.areas.isEmpty else { return }
    var doubtful: [(address: UInt64, target: UInt64)] = []
    for region in new.regions.regions where region.kind == .readOnly && !BindingProof.isTable(region.name) {
      guard let bytes = new.file.image.bytes(at: region.range.start, count: region.range.count) else { continue }
      let span = new.state.span
      // A relative word counts from its own start.
      bytes.forEachDisplacement(at: region.range.start, reaching: span.start &+ 4, count: span.count) {
        (field, end) in
        let target = end &- 4
        guard field % 4 == 0, doubtful.count < BindingProof.maximumConstantCandidates,
          new.state.areaTouching(target) != nil
        else { return }
        doubtful.append((field, target))
      }
    }
    collectUnwindWords()
    let isComplete = doubtful.count < BindingProof.maximumConstantCandidates
    if isComplete { doubtful = doubtful.filter { testimony($0.address, $0.target) != .refuted } }
    // Decoding all code once more is the dearest question: it comes last.
    guard !doubtful.isEmpty, new.usesRelativeTables else { return }
    if isComplete {
      let other = OtherConstants(new)
      doubtful = doubtful.filter { !other.explains($0.address) }
    }
    for candidate in isComplete ? doubtful[...] : doubtful.prefix(1) {
      refuse(at: candidate.address, reaching: candidate.target)
    }
  }

  /// Unwind tables lead to DW.ref.* words, which hold a relocated pointer. The tables were read as a whole, so
  /// anything else in them that seems to reach state is chance.
  private mutating func collectUnwindWords() {
    for word in new.map.unwind.indirections where new.regions.kind(of: word.target) == .state {
      unwindWords.append(word.target)
    }
    unwindWords.sort()
    var last: UInt64?
    unwindWords = unwindWords.filter { (word) in
      defer { last = word }
      return word != last
    }
  }

  /// Tables whose format is known: they have no relative reference to data but those of unwind tables, which are
  /// listed.
  static func isTable(_ name: Bytes) -> Bool {
    name == Bytes(".dynsym") || name == Bytes(".dynstr") || name.hasPrefix(".rela") || name.hasPrefix(".relr")
      || name == Bytes(".hash") || name.hasPrefix(".gnu.") || name.hasPrefix(".note") || name == Bytes(".interp")
      || name.hasPrefix(".eh_frame") || name.hasPrefix(".gcc_except_table")
  }
}

extension Binary {
  /// Does any code load a 32-bit number, sign-extended, and add it to a base, without jumping there (which is what
  /// jump tables do)? Swift's metadata is read that way by the run-time library, which is not in this object.
  var usesRelativeTables: Bool {
    if sections.all.contains(where: { $0.name.hasPrefix("swift5_") }) { return true }
    for function in code.functions where function.mayReadRelativeTable {
      guard let bytes = file.image.bytes(at: function.range.start, count: function.range.count) else { continue }
      if Binary.hasRelativeLoad(bytes) { return true }
    }
    return false
  }

  /// MOVSXD r64, [base + …], then ADD (or LEA) of the same base within a few instructions, then no indirect jump.
  private static func hasRelativeLoad(_ bytes: Bytes) -> Bool {
    var offset = 0
    var load: RelativeLoad?
    while offset < bytes.count, let instruction = InstructionDecoder.decode(bytes, at: offset),
      instruction.length != 0
    {
      if instruction.flow == .indirectJump {
        load = nil
      } else if let step = load?.isAnswer(instruction, bytes, offset) {
        if step { return true }
        if load?.age ?? 0 > RelativeLoad.window { load = nil }
      }
      if let next = RelativeLoad(instruction, bytes, offset) { load = next }
      offset += Int(instruction.length)
    }
    return load?.isAdded ?? false
  }
}
