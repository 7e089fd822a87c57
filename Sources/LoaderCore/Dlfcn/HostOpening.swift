import CKernel

/// Objects of the host belong to its own loader. Luci knows those that the program asked for, and what they need; what
/// the C library opens for itself (name services, character sets) comes and goes without notice and is left alone.
extension Program {
  func openInHost(_ name: Bytes, _ mode: Mode) throws(LoadError) -> UInt64 {
    guard host.dlopen != 0 else { throw LoadError(.notFound, Path(name)) }
    // It stays: objects of the program may become bound to it, which the host knows nothing of.
    let kept = mode.union(.noDelete)
    let handle = ForeignCall.word(host.dlopen, name.memoryAddress, UInt64(UInt32(bitPattern: kept.rawValue)))
    if handle == 0 {
      setHostError()
      return 0
    }
    adoptHostObjects(behind: [handle])
    if mode.contains(.global), let object = hostObjects.first(where: { $0.linkMap == handle }) {
      scope.append(object)
    }
    return handle
  }

  /// Host objects that newly opened ones need; returns their handles.
  func openNewHosts(from first: Int) throws(LoadError) -> [UInt64] {
    var handles: [UInt64] = []
    for path in graph.hosts[first...] {
      let handle = path.withCString { name in
        host.dlopen == 0 ? 0 : ForeignCall.word(host.dlopen, UInt64(UInt(bitPattern: name)), 2)
      }
      guard handle != 0 else {
        for handle in handles { _ = closeInHost(handle) }
        throw LoadError(.hostUnusable("the C library's loader can't open it"), path)
      }
      handles.append(handle)
    }
    adoptHostObjects(behind: handles)
    return handles
  }

  /// The host's dlclose, after which objects may be gone.
  func closeInHost(_ handle: UInt64) -> Int32 {
    guard host.dlclose != 0 else { return -1 }
    let result = Int32(truncatingIfNeeded: ForeignCall.word(host.dlclose, handle))
    if result != 0 { setHostError() }
    let entries = HostObjects.entries(debug: standIn?.hostDebug ?? 0)
    let isGone = { (object: LoadedObject) in
      object.role == .host && !entries.contains { $0.address == object.linkMap && $0.bias == object.bias }
    }
    if hostObjects.contains(where: isGone) {
      scope.remove(where: isGone)
      openedHosts.remove(where: isGone)
      hostObjects.removeAll(where: isGone)
      publishLinkMaps()
    }
    return result
  }

  /// Takes note of the objects behind handles of the host. They are behind everything else in the order of look-ups.
  private func adoptHostObjects(behind handles: [UInt64]) {
    if handles.isEmpty { return }
    let others = HostObjects.read(debug: standIn?.hostDebug ?? 0, standIn: standIn?.base ?? 0) { map in
      hostObjects.contains { $0.linkMap == map }
    }
    var added = others.filter { handles.contains($0.linkMap) }
    var index = 0
    while index < added.count {
      for name in (try? added[index].needed()) ?? [] {
        guard let other = others.first(where: { $0.isNamed(name) }), !added.contains(where: { $0 === other }) else {
          continue
        }
        added.append(other)
      }
      index += 1
    }
    for object in added {
      hostObjects.append(object)
      openedHosts.append(object)
    }
    if !added.isEmpty { publishLinkMaps() }
  }
}
