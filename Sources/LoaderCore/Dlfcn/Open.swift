import CKernel

/// dlopen(3).
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
    guard !mode.isDisjoint(with: [.lazy, .now]) else {
      var text = Text()
      if let name, name.count > 0 {
        text.append(name)
        text.append(": ")
      }
      text.append("invalid mode for dlopen(): Invalid argument")
      setError(text)
      return 0
    }
    lock.lock()
    defer { lock.unlock() }
    guard let name, name.count > 0 else {
      executable.openCount += 1
      return executable.linkMap
    }
    defer { search.closeCache() }
    do throws(LoadError) {
      return try open(name, mode, requester: registry.object(containing: caller))
    } catch {
      setError(error)
      return 0
    }
  }

  private func open(_ name: Bytes, _ mode: Mode, requester: LoadedObject?) throws(LoadError) -> UInt64 {
    if mode.contains(.noLoad) { return try openLoaded(name, mode, requester) }
    guard let object = try load(name, mode, requester ?? executable) else { return try openInHost(name, mode) }
    return reopen(object, mode)
  }

  /// A library that a newer version needs, with all that it needs in turn; nil for a host object.
  func bringIn(_ name: Bytes, for requester: LoadedObject, isGlobal: Bool) throws(LoadError) -> LoadedObject? {
    let knownHosts = graph.hosts.count
    guard let object = try load(name, .now, requester) else {
      _ = try openNewHosts(from: knownHosts)
      return nil
    }
    if isGlobal {
      for member in breadthFirst(from: object) { scope.append(member) }
    }
    return object
  }

  /// The object for a name, with everything that it needs loaded, relocated and initialised; nil for a host object.
  /// On an error everything is as before.
  private func load(_ name: Bytes, _ mode: Mode, _ requester: LoadedObject) throws(LoadError) -> LoadedObject? {
    let mark = graph.mark
    let layout = tls
    var openedHosts: [UInt64] = []
    let result: LoadedObject?
    do throws(LoadError) {
      result = try graph.load(name, for: requester)
      guard let object = result, graph.objects.count > mark.objects else { return result }
      try checkOpenable(object)
      try graph.loadDependencies(from: mark.objects)
      openedHosts = try openNewHosts(from: mark.hosts)
      try bringIn(Array(graph.objects[mark.objects...]), root: object, mode)
    } catch {
      let failed = graph.rollBack(to: mark)
      tls = layout
      unload(failed)
      for handle in openedHosts { _ = closeInHost(handle) }
      throw error
    }
    if let result { initialise(Array(graph.objects[mark.objects...]), root: result) }
    return result
  }

  /// Which objects refuse: in the words of the system's loader.
  private func checkOpenable(_ object: LoadedObject) throws(LoadError) {
    if object.dynamic.isExecutable {
      throw LoadError(.executableAsLibrary, object.path)
    }
    if object.dynamic.refusesOpen {
      throw LoadError(.noLibrary("shared object cannot be dlopen()ed"), object.path)
    }
  }

  /// Relocates newly mapped objects. They are known to debuggers and unwinders before resolvers of theirs may run.
  private func bringIn(_ objects: [LoadedObject], root: LoadedObject, _ mode: Mode) throws(LoadError) {
    let local = Scope()
    for member in breadthFirst(from: root) { local.append(member) }
    for object in objects {
      object.isOpened = true
      object.countThreadDestructors()
      object.bindsNow = mode.contains(.now)
      object.isPinned = object.dynamic.staysLoaded
      object.localScope = local
      object.prefersLocalScope = mode.contains(.deepBind)
    }
    try placeTLS(of: objects)
    try checkVersions(of: objects)
    debugger.announce(.adding)
    registry.publish(registry.objects + objects)
    publishLinkMaps()
    var deferred = DeferredRelocations()
    let references = objects.reduce(0) { $0 + $1.symbolicRelocationCount }
    scope.prepareLookUps(references: references)
    local.prepareLookUps(references: references)
    defer {
      scope.finishLookUps()
      local.endLookUps()
    }
    for object in objects.reversed() { try relocate(object, &deferred) }
    for object in objects {
      fillTLS(of: object)
      try fillSurplus(of: object)
    }
    try finishRelocation(of: objects, deferred)
  }

  /// The lock is held meanwhile, as the system's loader does: who opens the same library waits until it is usable.
  private func initialise(_ objects: [LoadedObject], root: LoadedObject) {
    objectsWereOpened(objects)
    // In a cycle of needs, what was asked for comes last.
    var visited = [root]
    for object in objects.reversed() { initialise(object, &visited) }
    visited = []
    initialise(root, &visited)
  }

  func reopen(_ object: LoadedObject, _ mode: Mode) -> UInt64 {
    object.openCount += 1
    if mode.contains(.noDelete) { object.isPinned = true }
    if mode.contains(.global) {
      for member in breadthFirst(from: object) { scope.append(member) }
    }
    return handle(of: object)
  }

  /// RTLD_NOLOAD: a library that is loaded already, by whichever name; else 0, which is no error.
  private func openLoaded(_ name: Bytes, _ mode: Mode, _ requester: LoadedObject?) throws(LoadError) -> UInt64 {
    if let known = graph.object(named: name) { return reopen(known, mode) }
    if HostRules.isHostName(name) || graph.isHost(name) { return try openInHost(name, mode) }
    let file = try search.open(name, for: requester ?? executable)
    defer { file.close() }
    if let known = graph.object(from: file) { return reopen(known, mode) }
    return try openInHost(name, mode)
  }

  /// The handle of an object stays that of its first version.
  func handle(of object: LoadedObject) -> UInt64 { object.identity?.versions.first?.linkMap ?? object.linkMap }
}
