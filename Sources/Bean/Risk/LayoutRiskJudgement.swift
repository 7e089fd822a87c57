/// From what single functions show to what is reported.
extension LayoutRisk {
  static var maximumFindings: Int { 16 }
  /// So many functions that are whole and agree are no chance; two are enough where they agree about several fields.
  private static var certainFunctions: Int { 3 }

  mutating func judge(_ verdict: inout Verdict) {
    shifts.sort(by: Shift.isBefore)
    let hasGrown = allocations.contains { $0.new > $0.old }
    let hasShrunk = allocations.contains { $0.new < $0.old }
    var groups: [[Shift]] = []
    var origins: ObjectOrigins?
    var first = 0
    while first < shifts.count {
      var end = first
      while end < shifts.count, shifts[end].distance == shifts[first].distance { end &+= 1 }
      let isLikely = shifts[first].distance > 0 ? hasGrown : hasShrunk
      if isSupported(shifts[first..<end], isLikely: isLikely) {
        let known = origins ?? newOrigins()
        origins = known
        let group = withoutLocals(shifts[first..<end], known)
        if isSupported(group[...], isLikely: isLikely) { groups.append(group) }
      }
      first = end
    }
    var findings = groups.map { finding($0[...]) }
    findings.sort {
      $0.functions != $1.functions ? $0.functions > $1.functions : $0.oldValue < $1.oldValue
    }
    let sizes = supportedAllocations(hasShifts: !findings.isEmpty)
    verdict.shiftedFunctions = Set(groups.joined().map { $0.function }).count
    verdict.changedAllocations = sizes.count
    verdict.riskCount = findings.count &+ sizes.count
    if verdict.riskCount > 0 { findObjects(groups, sizes, origins ?? newOrigins(), &verdict) }
    // Both kinds are to be seen where there is not room for all.
    let room = LayoutRisk.maximumFindings
    verdict.risks =
      Array(findings.prefix(max(room / 2, room &- sizes.count)))
      + sizes.prefix(max(room / 2, room &- findings.count)).map { finding($0) }
  }

  private func newOrigins() -> ObjectOrigins {
    ObjectOrigins(comparison.old, users: Set(shifts.map { $0.oldFunction }))
  }

  /// Shifts of one distance, sorted by function; `isLikely`: an allocation changed in the same direction.
  private func isSupported(_ group: ArraySlice<Shift>, isLikely: Bool) -> Bool {
    var functions = 0
    var last = -1
    var fields: Set<Int32> = []
    for shift in group where shift.isWhole {
      if shift.function != last { functions &+= 1 }
      last = shift.function
      fields.insert(shift.old)
    }
    if functions >= LayoutRisk.certainFunctions { return true }
    if functions > 1, fields.count > 1 { return true }
    return functions != 0 && isLikely
  }

  /// The function that shows most of it, one with a name of its own before others.
  private func finding(_ group: ArraySlice<Shift>) -> LayoutRiskFinding {
    var (best, bestScore) = (group.startIndex, -1)
    var functions = 0
    var first = group.startIndex
    while first < group.endIndex {
      var end = first
      while end < group.endIndex, group[end].function == group[first].function { end &+= 1 }
      functions &+= 1
      let score = (end &- first) &+ (hasName(group[first].function) ? LayoutRisk.nameScore : 0)
      if group[first].isWhole, score > bestScore { (best, bestScore) = (first, score) }
      first = end
    }
    let shift = group[best]
    return LayoutRiskFinding(
      kind: .shiftedFields, function: place(shift.function), oldValue: UInt64(bitPattern: Int64(shift.old)),
      newValue: UInt64(bitPattern: Int64(shift.new)), functions: functions)
  }

  /// More than one function can show.
  private static var nameScore: Int { 1 << 20 }

  private func place(_ function: Int) -> Place {
    comparison.new.place(at: comparison.new.code.functions[function].range.start)
  }

  private func hasName(_ function: Int) -> Bool {
    comparison.new.symbols.name(containing: comparison.new.code.functions[function].range.start) != nil
  }

  private func finding(_ allocation: Allocation) -> LayoutRiskFinding {
    LayoutRiskFinding(
      kind: .allocationSize, function: place(allocation.function), oldValue: allocation.old, newValue: allocation.new,
      functions: 1)
  }

  /// A call through a pointer may be anything, and a size that is no multiple of any alignment is that of a buffer:
  /// these count where something else says the same.
  private func supportedAllocations(hasShifts: Bool) -> [Allocation] {
    var result: [Allocation] = []
    for allocation in allocations {
      guard hasShifts || isSufficient(allocation) else { continue }
      let isKnown = result.contains {
        $0.function == allocation.function && $0.old == allocation.old && $0.new == allocation.new
      }
      if !isKnown, result.count < LayoutRisk.maximumAllocations { result.append(allocation) }
    }
    return result
  }

  static var maximumAllocations: Int { 256 }

  private func isSufficient(_ allocation: Allocation) -> Bool {
    guard allocation.old % 4 == 0, allocation.new % 4 == 0 else { return false }
    return allocation.isNamed
      || allocations.prefix(LayoutRisk.maximumAllocations).contains {
        $0.isNamed && $0.old == allocation.old && $0.new == allocation.new
      }
  }
}
