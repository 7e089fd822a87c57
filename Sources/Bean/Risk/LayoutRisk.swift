/// Looks for structures whose layout changed, without debug information: functions that are equal but for
/// displacements off registers, which changed in the same way, and sizes that allocators are asked for.
///
/// A single function that uses another displacement says nothing, since a correction may use another field. Several
/// that agree do, or one together with an allocation that has grown or shrunk.
struct LayoutRisk {
  /// A field that one function uses at another displacement.
  struct Shift {
    let old: Int32
    let new: Int32
    /// Index of the function in the new version.
    let function: Int
    /// Index of its counterpart, and offset of the instruction there.
    let oldFunction: Int
    let place: Int
    /// The function is equal but for displacements, immediates and branches.
    let isWhole: Bool
    var distance: Int64 { Int64(new) &- Int64(old) }

    static func isBefore(_ a: Shift, _ b: Shift) -> Bool {
      if a.distance != b.distance { return a.distance < b.distance }
      return a.function != b.function ? a.function < b.function : a.old < b.old
    }
  }

  struct Allocation {
    let old: UInt64
    let new: UInt64
    let function: Int
    let oldFunction: Int
    /// The callee is known by name.
    let isNamed: Bool
    /// What is returned may be a part of something larger.
    var isPool = false
  }

  let comparison: Comparison
  var shifts: [Shift] = []
  var allocations: [Allocation] = []
  /// Functions of the old version whose allocations are the same as those of their counterparts: all with known callees;
  /// all.
  private(set) var comparedFunctions: Set<Int> = []
  private(set) var wholeFunctions: Set<Int> = []
  let calls: (old: AllocationCalls, new: AllocationCalls)

  init(_ comparison: Comparison) {
    self.comparison = comparison
    calls = (AllocationCalls(comparison.old), AllocationCalls(comparison.new))
  }

  /// Shifts of one function that are looked at.
  private static var maximumShifts: Int { 1024 }
  /// Steps next to a change may be equal by chance.
  private static var margin: Int { 4 }

  mutating func compare(_ oldIndex: Int, _ newIndex: Int) {
    guard let old = RiskSequence(comparison.old, comparison.old.code.functions[oldIndex]),
      let new = RiskSequence(comparison.new, comparison.new.code.functions[newIndex])
    else { return }
    compareFields(old.steps, new.steps, old.common(with: new), (oldIndex, newIndex))
    compareAllocations(old.steps, new.steps, old.hash == new.hash, (oldIndex, newIndex))
  }

  private mutating func compareFields(
    _ old: [RiskStep], _ new: [RiskStep], _ common: (head: Int, tail: Int), _ pair: (old: Int, new: Int)
  ) {
    let isWhole = common.head == old.count && old.count == new.count
    var found: [Shift] = []
    let head = isWhole ? common.head : common.head &- LayoutRisk.margin
    var step = 0
    while step < head {
      append(&found, old[step], new[step], pair, isWhole)
      step &+= 1
    }
    step = 1
    while step <= common.tail &- LayoutRisk.margin {
      append(&found, old[old.count &- step], new[new.count &- step], pair, isWhole)
      step &+= 1
    }
    if found.count <= LayoutRisk.maximumShifts, LayoutRisk.isConsistent(&found) { shifts += found }
  }

  private func append(
    _ found: inout [Shift], _ a: RiskStep, _ b: RiskStep, _ pair: (old: Int, new: Int), _ isWhole: Bool
  ) {
    guard a.isField, b.isField, a.displacement != b.displacement, a.displacement >= 0, b.displacement >= 0,
      found.count <= LayoutRisk.maximumShifts
    else { return }
    found.append(
      Shift(
        old: a.displacement, new: b.displacement, function: pair.new, oldFunction: pair.old, place: Int(a.place),
        isWhole: isWhole))
  }

  /// What was added to a structure moves all that follows: the farther a field, the farther it moves. Sorts, and
  /// leaves each shift once.
  private static func isConsistent(_ found: inout [Shift]) -> Bool {
    found.sort { $0.old != $1.old ? $0.old < $1.old : $0.new < $1.new }
    var result: [Shift] = []
    for shift in found {
      guard let last = result.last else {
        result.append(shift)
        continue
      }
      if last.old == shift.old {
        if last.new != shift.new { return false }
        continue
      }
      guard (last.distance > 0) == (shift.distance > 0), last.distance.magnitude <= shift.distance.magnitude else {
        return false
      }
      result.append(shift)
    }
    found = result
    return true
  }

  /// The same calls in the same order, with other sizes.
  private mutating func compareAllocations(
    _ old: [RiskStep], _ new: [RiskStep], _ isWhole: Bool, _ pair: (old: Int, new: Int)
  ) {
    let (before, after) = (calls.old.calls(in: old), calls.new.calls(in: new))
    if before.isEmpty || after.isEmpty { return }
    let named = (before.filter { $0.callee != 0 }, after.filter { $0.callee != 0 })
    if named.0.count == named.1.count {
      for step in named.0.indices where named.0[step].callee != named.1[step].callee { return }
      if !named.0.indices.contains(where: { named.0[$0].size != named.1[$0].size }) {
        comparedFunctions.insert(pair.old)
      }
      for step in named.0.indices where named.0[step].size != named.1[step].size {
        allocations.append(
          Allocation(
            old: named.0[step].size, new: named.1[step].size, function: pair.new, oldFunction: pair.old,
            isNamed: true, isPool: named.0[step].isPool))
      }
    }
    guard isWhole, before.count == after.count else { return }
    if !before.indices.contains(where: { before[$0].size != after[$0].size }) { wholeFunctions.insert(pair.old) }
    for step in before.indices where before[step].callee == 0 && after[step].callee == 0 {
      let (a, b) = (before[step], after[step])
      guard a.index == b.index, a.size != b.size, a.size % 8 == 0, b.size % 8 == 0, min(a.size, b.size) >= 16 else {
        continue
      }
      allocations.append(
        Allocation(old: a.size, new: b.size, function: pair.new, oldFunction: pair.old, isNamed: false))
    }
  }
}
