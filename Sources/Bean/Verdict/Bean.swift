import CKernel

/// Says whether a version of an object can be replaced by another one while a program uses it.
public enum Bean {
  /// Compares two files. Exports that `isUsed` (name, version; empty: unversioned) denies may be missing. Those that
  /// `isCopied` knows live in the executable (R_X86_64_COPY), constants included.
  ///
  /// Throws where one of them is no sound ELF object; what is sound but cannot be replaced is a verdict with reasons.
  public static func compare(
    old: Bytes, new: Bytes, isCopied: ((_ name: Bytes, _ version: Bytes) -> Bool)? = nil,
    isUsed: (_ name: Bytes, _ version: Bytes) -> Bool = { (_, _) in true }
  ) throws(ELFError) -> Verdict {
    let before = try Binary(old)
    return compare(old: before, new: try Binary(new, like: before), isCopied: isCopied, isUsed: isUsed)
  }

  /// The same for versions that were read already: a loader keeps the one that is in use.
  public static func compare(
    old: Binary, new: Binary, countsChangesForCallers: Bool = false,
    isCopied: ((_ name: Bytes, _ version: Bytes) -> Bool)? = nil,
    isUsed: (_ name: Bytes, _ version: Bytes) -> Bool = { (_, _) in true }
  ) -> Verdict {
    var verdict = Verdict()
    if let obstacle = obstacle(old) ?? obstacle(new) {
      verdict.refuse(for: obstacle)
      return verdict
    }
    var comparison = Comparison(old, new)
    if countsChangesForCallers { comparison.countChangesForCallers() }
    let matches = comparison.matches
    comparison.compareLayout()
    // Where sections have other sizes, all that follows would only say so again, for each variable.
    var isComparable = comparison.reasonCount == 0
    if isComparable { compareState(comparison) }
    if comparison.reasonCount != 0, !old.state.areas.isEmpty, !comparison.hooksTakeState {
      let detailed = Comparison.byVariables(old, new, matches)
      compareState(detailed)
      // Of sections with the same sizes, what differs in them is what a user has to know (and may let pass).
      if detailed.reasonCount == 0 || !isComparable {
        // Why it would not do section by section, and then why not variable by variable.
        if detailed.reasonCount != 0 { detailed.put(comparison) }
        comparison = detailed
        isComparable = true
      }
    }
    comparison.compareThreads()
    comparison.compareConstructors()
    comparison.compareExports(isUsed)
    if isComparable, let isCopied { comparison.compareCopies(isCopied) }
    if isComparable && !comparison.newOwnsState { prove(comparison, &verdict) }
    finish(comparison, &verdict)
    // What is refused for good endangers no object.
    if isComparable && (verdict.accepted || verdict.isContentOnly || verdict.isUnprovedOnly) {
      var risk = LayoutRisk(comparison)
      risk.compareAll()
      risk.judge(&verdict)
    }
    return verdict
  }

  private static func obstacle(_ binary: Binary) -> Refusal? {
    guard binary.hasSections else { return Refusal(.noSections) }
    guard binary.file.header.kind == .sharedObject else { return Refusal(.notPositionIndependent) }
    for region in binary.regions.regions where region.kind == .code {
      let index = binary.relocations.lowerBound(region.range.start)
      if index < binary.relocations.entries.count, binary.relocations.entries[index].address < region.range.end {
        let address = binary.relocations.entries[index].address
        return Refusal(.notPositionIndependent, new: binary.place(at: address))
      }
    }
    return nil
  }

  private static func compareState(_ comparison: Comparison) {
    comparison.compareVariables()
    comparison.compareCode()
    comparison.compareChangedCode()
    comparison.compareWidths()
    comparison.comparePlaces()
    compareContent(comparison)
  }

  private static func compareContent(_ comparison: Comparison) {
    let (before, after) = (comparison.old.state.threads, comparison.new.state.threads)
    let image = min(before?.fileSize ?? 0, after?.fileSize ?? 0)
    if comparison.mapping.pieces.isEmpty && image == 0 { return }
    var content = ContentComparison(comparison)
    content.compareState()
    // Other sizes are a reason of their own.
    if let before, let after, before.fileSize == after.fileSize, image != 0 {
      content.compareThreadImage(old: before.address, new: after.address, count: image)
    }
    comparison.judgePointers()
  }

  private static func prove(_ comparison: Comparison, _ verdict: inout Verdict) {
    var proof = BindingProof(comparison)
    proof.prove()
    verdict.patches = proof.patches
    verdict.unwindWords = proof.unwindWords
    verdict.counters.references = proof.patches.count
    verdict.counters.candidates = proof.candidates
    verdict.counters.explained = proof.explained
  }

  private static func finish(_ comparison: Comparison, _ verdict: inout Verdict) {
    verdict.reasons = comparison.reasons
    verdict.reasonCount = comparison.reasonCount
    verdict.mapping = comparison.mapping
    verdict.variables = comparison.variables
    verdict.pointers = comparison.pointers
    verdict.newOwnsState = comparison.newOwnsState
    verdict.missingExports = comparison.missingExports
    verdict.reasonKinds = comparison.reasonKinds
    verdict.hooksTakeState = comparison.hooksTakeState
    let new = comparison.new
    verdict.needsProgramThread =
      new.relocations.hasIndirectFunctions
      || new.symbols.entries.contains { $0.isExport && $0.symbol.isIFunc }
    count(comparison, &verdict)
  }

  /// Fills the function map, and counts functions; entries of the PLT are none.
  private static func count(_ comparison: Comparison, _ verdict: inout Verdict) {
    let (old, new, matches) = (comparison.old, comparison.new, comparison.matches)
    for index in old.code.functions.indices where !old.code.functions[index].isLinkage {
      guard matches.newOfOld[index] >= 0 else {
        verdict.counters.removed += 1
        continue
      }
      let newIndex = Int(matches.newOfOld[index])
      let isEqual = matches.isEqual[newIndex]
      if isEqual { verdict.counters.equal += 1 } else { verdict.counters.changed += 1 }
      verdict.functionMap.append(
        FunctionPair(
          old: old.code.functions[index].range.start, new: new.code.functions[newIndex].range.start,
          isEqual: isEqual))
    }
    for function in new.code.functions where !function.isLinkage { verdict.counters.functions += 1 }
    verdict.counters.added = verdict.counters.functions - verdict.functionMap.count
  }
}
