/// Which objects a finding is about: whether they live on the heap, what size they have, and who can make them.
extension LayoutRisk {
  /// Local variables of functions are used by one version alone: their layout does not matter.
  mutating func leaveOutFrames(_ group: inout [Shift]) {
    var isFrame: [Int: Bool] = [:]
    for shift in group where isFrame[shift.oldFunction] == nil {
      let uses = group.filter { $0.oldFunction == shift.oldFunction }.map {
        (function: $0.oldFunction, place: $0.place)
      }
      isFrame[shift.oldFunction] = origins.origins(of: uses, above: 0, alsoForward: false).isFrameOnly
    }
    group.removeAll { isFrame[$0.oldFunction] == true }
  }

  /// Sizes that were asked for and have changed, and, where none of these is large enough for the fields that moved,
  /// sizes of the objects that the fields were found to be in.
  mutating func findObjects(
    _ groups: [[Shift]], _ allocations: [Allocation], _ verdict: inout Verdict, _ isUsed: (Bytes, Bytes) -> Bool
  ) {
    var sizes: [UInt64] = []
    for allocation in allocations where !sizes.contains(allocation.old) { sizes.append(allocation.old) }
    var isKnown = allocations.count < LayoutRisk.maximumAllocations && !allocations.contains { $0.isPool }
    var isOfAllocations = isKnown
    let changed = sizes
    for group in groups {
      let highest = UInt64(group.map { $0.old }.max() ?? 0)
      if changed.contains(where: { $0 > highest }) { continue }
      isOfAllocations = false
      let uses = group.map { (function: $0.oldFunction, place: $0.place) }
      let objects = origins.origins(of: uses, above: highest, alsoForward: true)
      let found = objects.sizes
      if objects.hasPool || found.isEmpty || found.count > LayoutRisk.maximumSizes { isKnown = false }
      for size in found.prefix(LayoutRisk.maximumSizes) where !sizes.contains(size) { sizes.append(size) }
    }
    verdict.objectSizes = sizes.sorted()
    verdict.isRiskOfSizes = isKnown && !sizes.isEmpty
    if isOfAllocations, !sizes.isEmpty { findMakers(allocations, &verdict, isUsed) }
  }

  /// So many sizes can be looked for at a time.
  private static var maximumSizes: Int { 64 }

  /// Where nobody uses an export through which such objects are made, there are none.
  private mutating func findMakers(
    _ allocations: [Allocation], _ verdict: inout Verdict, _ isUsed: (Bytes, Bytes) -> Bool
  ) {
    let symbols = comparison.old.symbols.entries
    guard let exports = origins.graph.exports(leadingTo: allocations.map { $0.oldFunction }),
      !exports.contains(where: { isUsed(symbols[$0].name, symbols[$0].version) })
    else { return }
    verdict.unusedMakers = exports.map { (name: symbols[$0].name, version: symbols[$0].version) }
  }
}
