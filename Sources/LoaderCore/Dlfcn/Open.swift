import CKernel

/// dlopen(3), dlclose(3).
extension Program {
  struct Mode: OptionSet {
    let rawValue: Int32
    static var lazy: Mode { Mode(rawValue: 1) }
    static var now: Mode { Mode(rawValue: 2) }
    static var noLoad: Mode { Mode(rawValue: 4) }
    static var deepBind: Mode { Mode(rawValue: 8) }
    static var global: Mode { Mode(rawValue: 0x100) }
    static var noDelete: Mode { Mode(rawValue: 0x1000) }
  }

  /// `name` nil: the program itself. Returns a handle, or 0 with the thread's error set.
  public func open(_ name: Bytes?, mode rawMode: Int32, caller: UInt64) -> UInt64 {
    let mode = Mode(rawValue: rawMode)
    guard let name, name.count > 0 else { return executable.linkMap }
    guard !mode.isDisjoint(with: [.lazy, .now]) else {
      setError(Text("invalid mode for dlopen(): Invalid argument"))
      return 0
    }
    lock.lock()
    defer { lock.unlock() }
    do throws(LoadError) {
      return try open(name, mode, requester: registry.object(containing: caller))
    } catch {
      setError(error)
      return 0
    }
  }

  private func open(_ name: Bytes, _ mode: Mode, requester: LoadedObject?) throws(LoadError) -> UInt64 {
    if mode.contains(.noLoad) {
      if let known = graph.object(named: name) { return reopen(known, mode) }
      return openInHost(name, mode)
    }
    let known = graph.objects.count
    let knownHosts = graph.hosts.count
    do throws(LoadError) {
      guard let object = try graph.load(name, for: requester ?? executable) else { return openInHost(name, mode) }
      if known < graph.objects.count {
        try graph.loadDependencies(from: known)
        try openNewHosts(from: knownHosts)
        try bringIn(Array(graph.objects[known...]), root: object, mode)
      }
      return reopen(object, mode)
    } catch {
      for object in graph.removeObjects(from: known) {
        Mapping.unmap(object.memoryRange.start, object.memoryRange.count)
      }
      throw error
    }
  }

  /// A library that a newer version needs, with all that it needs in turn; nil for a host object.
  func bringIn(_ name: Bytes, for requester: LoadedObject, isGlobal: Bool) throws(LoadError) -> LoadedObject? {
    let known = graph.objects.count
    let knownHosts = graph.hosts.count
    do throws(LoadError) {
      let object = try graph.load(name, for: requester)
      if known < graph.objects.count { try graph.loadDependencies(from: known) }
      try openNewHosts(from: knownHosts)
      guard let object else { return nil }
      if known < graph.objects.count { try bringIn(Array(graph.objects[known...]), root: object, []) }
      if isGlobal {
        for member in breadthFirst(from: object) { scope.append(member) }
      }
      return object
    } catch {
      for object in graph.removeObjects(from: known) {
        Mapping.unmap(object.memoryRange.start, object.memoryRange.count)
      }
      throw error
    }
  }

  private func reopen(_ object: LoadedObject, _ mode: Mode) -> UInt64 {
    object.openCount += 1
    if mode.contains(.global) {
      for member in breadthFirst(from: object) { scope.append(member) }
    }
    return handle(of: object)
  }

  /// The handle of an object stays that of its first version.
  func handle(of object: LoadedObject) -> UInt64 { object.identity?.versions.first?.linkMap ?? object.linkMap }

  /// Host objects belong to the host's loader.
  private func openInHost(_ name: Bytes, _ mode: Mode) -> UInt64 {
    guard host.dlopen != 0 else { return 0 }
    let handle = ForeignCall.word(host.dlopen, name.memoryAddress, UInt64(UInt32(bitPattern: mode.rawValue)))
    if handle == 0 { setHostError() } else { adoptNewHostObjects() }
    return handle
  }

  /// Host objects that newly opened ones need.
  private func openNewHosts(from first: Int) throws(LoadError) {
    for path in graph.hosts[first...] {
      let handle = path.withCString { name in
        host.dlopen == 0 ? 0 : ForeignCall.word(host.dlopen, UInt64(UInt(bitPattern: name)), 2)
      }
      guard handle != 0 else { throw LoadError(.hostUnusable("the C library's loader can't open it"), path) }
    }
    if first < graph.hosts.count { adoptNewHostObjects() }
  }

  private func adoptNewHostObjects() {
    let added = HostObjects.read(debug: standIn?.hostDebug ?? 0, standIn: standIn?.base ?? 0) { map in
      hostObjects.contains { $0.linkMap == map }
    }
    for object in added {
      hostObjects.append(object)
      scope.append(object)
    }
  }

  /// Relocates and initialises newly mapped objects.
  private func bringIn(_ objects: [LoadedObject], root: LoadedObject, _ mode: Mode) throws(LoadError) {
    try placeTLS(of: objects)
    let local = Scope()
    for member in breadthFirst(from: root) { local.append(member) }
    for object in objects {
      object.localScope = local
      object.prefersLocalScope = mode.contains(.deepBind)
    }
    try checkVersions(of: objects)
    var deferred = DeferredRelocations()
    for object in objects.reversed() { try relocate(object, &deferred) }
    for object in objects { fillTLS(of: object) }
    try finishRelocation(of: objects, deferred)
    registry.publish(registry.objects + objects)
    publishLinkMaps()
    objectsWereOpened(objects)
    var visited: [LoadedObject] = []
    for object in objects.reversed() { initialise(object, &visited) }
  }

  /// Reference counts are kept; objects stay mapped until the process ends, as POSIX allows.
  public func close(_ handle: UInt64) -> Int32 {
    lock.lock()
    defer { lock.unlock() }
    if let object = object(forHandle: handle) {
      if object.openCount > 0 { object.openCount -= 1 }
      return 0
    }
    guard host.dlclose != 0 else { return -1 }
    let result = Int32(truncatingIfNeeded: ForeignCall.word(host.dlclose, handle))
    if result != 0 { setHostError() }
    return result
  }
}
