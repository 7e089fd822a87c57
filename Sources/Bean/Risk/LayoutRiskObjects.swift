/// Which objects the findings are about: whether they live on the heap, what size they have, and who can make them.
extension LayoutRisk {
  /// Local variables of functions are used by one version alone: their layout does not matter. `group` is sorted by
  /// function.
  func withoutLocals(_ group: ArraySlice<Shift>, _ origins: ObjectOrigins) -> [Shift] {
    var kept: [Shift] = []
    var first = group.startIndex
    while first < group.endIndex {
      var end = first
      while end < group.endIndex, group[end].function == group[first].function { end &+= 1 }
      let uses = group[first..<end].map { (function: $0.oldFunction, place: $0.place) }
      if !origins.areLocal(uses) { kept += group[first..<end] }
      first = end
    }
    return kept
  }

  /// Sizes that were asked for and have changed, and, where none of these is large enough for the fields that moved,
  /// sizes of the objects that the fields were found to be in.
  func findObjects(
    _ groups: [[Shift]], _ allocations: [Allocation], _ origins: ObjectOrigins, _ verdict: inout Verdict
  ) {
    var changed: [UInt64] = []
    for allocation in allocations where !changed.contains(allocation.old) { changed.append(allocation.old) }
    var isKnown = allocations.count < LayoutRisk.maximumAllocations
    var hasPool = allocations.contains { $0.isPool }
    var found: [ObjectOrigins.Size] = []
    for group in groups where isKnown {
      let highest = UInt64(group.map { $0.old }.max() ?? 0)
      if changed.contains(where: { $0 > highest }) { continue }
      let objects = origins.origins(of: group.map { ($0.oldFunction, $0.place) }, above: highest)
      if !objects.isKnown { isKnown = false }
      if objects.hasPool { hasPool = true }
      found += objects.sizes
    }
    var sizes = changed
    for size in found where !sizes.contains(size.bytes) { sizes.append(size.bytes) }
    verdict.objectSizes = sizes.sorted()
    verdict.isRiskOfSizes = isKnown && !hasPool && !sizes.isEmpty
    guard isKnown, !sizes.isEmpty else { return }
    let makers = ObjectMakers(self).functions(allocations, changed, found)
    let symbols = comparison.old.symbols.entries
    verdict.nearestMakers = origins.graph.nearestExports(to: makers).map { symbols[$0].symbol.value }
    verdict.makers = origins.graph.exports(leadingTo: makers)?.map {
      (name: symbols[$0].name, version: symbols[$0].version)
    }
  }
}
