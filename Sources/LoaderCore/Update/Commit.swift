/// The point of no return: everything that can fail has succeeded, and slots change.
extension Program {
  func commit(_ pairs: [NewVersion]) {
    noteChangedFunctions(pairs)
    let changes = SlotWrites(self, pairs)
    // Unwinders must know the new code before it can run.
    let known = registry.objects
    registry.publish(
      known + pairs.map { $0.object }.filter { object in !known.contains { $0 === object } })
    publishLinkMaps()
    for object in changes.protected { setRELROWritable(object, true) }
    for write in changes.writes { write.store(gateStubs) }
    for pair in pairs {
      entryStubs.follow(pair)
      gateStubs.follow(pair)
    }
    for object in changes.protected { setRELROWritable(object, false) }
    for pair in pairs {
      let old = pair.old
      scope.replace(old, by: pair.object)
      for object in graph.objects { object.localScope?.replace(old, by: pair.object) }
      graph.replace(old, by: pair.object)
      pair.shared.adopt(pair.object)
    }
    versionsHaveChanged()
  }

  /// Other threads only read these pages, before, meanwhile and afterwards.
  func setRELROWritable(_ object: LoadedObject, _ isWritable: Bool) {
    guard let pages = ObjectMapper.wholePages(of: object.segments.relro, bias: object.bias) else { return }
    try? Mapping.protect(pages.start, pages.count, isWritable ? .readWrite : .read)
  }
}
