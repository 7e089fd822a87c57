/// What the old version says against a candidate: it has the same bytes among the same neighbours, where they would
/// reach another variable or none. A real reference would have changed with the distance.
extension BindingProof {
  /// Bytes before and from the candidate that must be the same, where the section has them.
  private static var before: UInt64 { 16 }
  private static var after: UInt64 { 20 }

  func isRefuted(_ address: UInt64, _ target: UInt64) -> Bool {
    guard let region = new.regions.region(containing: address),
      let home = comparison.old.regions.regions.first(where: { $0.name == region.name && $0.kind == region.kind }),
      let bytes = comparison.old.file.image.bytes(at: home.range.start, count: home.range.count),
      let all = new.file.image.bytes(at: region.range.start, count: region.range.count)
    else { return false }
    let offset = address &- region.range.start
    let before = min(offset, BindingProof.before)
    let after = min(region.range.count &- offset, BindingProof.after)
    guard before &+ after >= BindingProof.after,
      let window = all.slice(at: offset &- before, count: before &+ after)
    else { return false }
    let first = expected(address) &- before &- home.range.start
    if bytes.slice(at: first, count: UInt64(window.count)) == window {
      return isElsewhere(home.range.start &+ first &+ before, address, target)
    }
    var isRefuted = false
    bytes.forEachOccurrence(of: window) { (position) in
      isRefuted = isElsewhere(home.range.start &+ position &+ before, address, target)
      return isRefuted
    }
    return isRefuted
  }

  /// Would the same bytes at `place` of the old version reach something else?
  private func isElsewhere(_ place: UInt64, _ address: UInt64, _ target: UInt64) -> Bool {
    !comparison.mapping.agrees(new: target, old: place &+ (target &- address))
  }

  /// Where `address` of the new version is likely to be found in the old one: at the same distance from the function
  /// before it, or from the start of the section.
  private func expected(_ address: UInt64) -> UInt64 {
    if let index = new.code.index(atOrBefore: address), comparison.matches.oldOfNew[index] >= 0 {
      let before = comparison.old.code.functions[Int(comparison.matches.oldOfNew[index])].range
      let range = new.code.functions[index].range
      if range.contains(address) { return before.start &+ (address &- range.start) }
      return before.end &+ (address &- range.end)
    }
    return address
  }
}

extension Bytes {
  /// Calls `body` with each offset at which `window` occurs, until it returns true.
  func forEachOccurrence(of window: Bytes, _ body: (UInt64) -> Bool) {
    guard let first = window.load(UInt64.self, at: 0) else { return }
    var position = 0
    while let word = load(UInt64.self, at: position) {
      if word == first, slice(at: UInt64(position), count: UInt64(window.count)) == window, body(UInt64(position)) {
        return
      }
      position += 1
    }
  }
}

extension CodeTable {
  /// Index of the last function that starts at or before `address`.
  func index(atOrBefore address: UInt64) -> Int? {
    var low = 0
    var high = functions.count
    while low < high {
      let middle = (low &+ high) / 2
      if functions[middle].range.start <= address { low = middle &+ 1 } else { high = middle }
    }
    return low > 0 ? low - 1 : nil
  }
}
