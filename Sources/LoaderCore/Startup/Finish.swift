import CKernel

/// Start-up after the host is up: the C library works, its constructors ran, thread-local storage exists with
/// an empty image. The program's own objects are mapped and not yet relocated.
extension Program {
  /// Relocates everything, runs constructors, writes the program's vector; returns the jump to its entry.
  public func finish(hostFinaliser: UInt64) throws(LoadError) -> Jump {
    // musl hands over nothing; its own destructors are part of exit(3).
    self.hostFinaliser = graph.muslLoader == nil ? hostFinaliser : 0
    readHostObjects()
    lock.identifyByThreadPointer()
    updateLock.identifyByThreadPointer()
    tlsModules.identifyThreadsByPointer()
    gates.setTLS(tls.threadPointerBase, host.tlsGetAddress)
    gates.setThreadAtExit(host.threadAtExit)
    try checkVersions(of: graph.objects, isStart: true)
    registry.publish(graph.objects)
    attachDebugger()
    publishLinkMaps()
    try relocateAll()
    rebindHost()
    tellStatistics()
    restoreAuxiliaryVector()
    programStackAddress = (hostStack.address &- programStack.size) & ~15
    programStack.write(at: programStackAddress)
    publishEnvironment()
    startUpdates()
    runConstructors()
    search.closeCache()
    trace?.transferring()
    return Jump(entry: entry, stack: programStackAddress, rdx: gates.finaliser)
  }

  private func readHostObjects() {
    hostObjects = HostObjects.read(debug: standIn?.hostDebug ?? 0, standIn: standIn?.base ?? 0) { _ in false }
    for entry in graph.scope {
      switch entry {
      case .object(let object): scope.append(object)
      case .host(let path):
        if let object = hostObject(for: path) { scope.append(object) }
      }
    }
    // What host objects needed in turn, the loader above all.
    for object in hostObjects { scope.append(object) }
    host = HostCalls(hostObjects)
  }

  private func tellStatistics() {
    guard let trace, trace.wants(.statistics) else { return }
    trace.everythingIsRelocated()
    var relative: UInt64 = 0
    for object in graph.objects {
      guard let table = try? RelocationTable(object.image, object.dynamic.rela) else { continue }
      for index in 0..<table.count where table[index].type == UInt32(R_X86_64_RELATIVE) { relative += 1 }
    }
    trace.statistics(relative: relative)
  }

  private func hostObject(for path: Path) -> LoadedObject? {
    if let exact = hostObjects.first(where: { $0.path == path }) { return exact }
    let name = path.lastComponent
    return hostObjects.first { object in
      object.path.lastComponent == name || name.withBytes { object.soname == $0 }
    }
  }

  /// Every needed version must be defined by the object it is needed from. One without versions satisfies all; at start
  /// that is told, as the system's loader does.
  func checkVersions(
    of objects: [LoadedObject], replacing pairs: [(old: LoadedObject, new: LoadedObject)] = [], isStart: Bool = false
  ) throws(LoadError) {
    for object in objects {
      for need in object.versions.needs where !need.isWeak {
        guard let found = provider(of: need.file, for: object) else { continue }
        let provider = pairs.first { $0.old === found }?.new ?? found
        guard provider.dynamic.versionDefinitions != nil else {
          if isStart { tellOfNoVersions(provider, requester: object) }
          continue
        }
        trace?.version(need.name, in: provider.path, for: object.path)
        if provider.versions.definitions.contains(where: { $0.isSame(as: need) }) { continue }
        var error = LoadError(.versionNotFound, object === executable ? name : object.path, subject: need.name)
        error.file = provider.path.withBytes { $0.copy() }
        throw error
      }
    }
  }

  private func tellOfNoVersions(_ provider: LoadedObject, requester: LoadedObject) {
    var text = Text()
    name.write(to: &text)
    text.append(": ")
    provider.path.write(to: &text)
    text.append(": no version information available (required by ")
    (requester === executable ? name : requester.path).write(to: &text)
    text.append(")\n")
    Start.write(text.bytes, to: .standardError)
  }

  private func provider(of file: Bytes, for object: LoadedObject) -> LoadedObject? {
    let isIt = { (other: LoadedObject) in
      other.isNamed(file) || other.name.withUnsafeBytes { Bytes($0) == file }
    }
    return object.dependencies.first(where: isIt) ?? scope.objects.first(where: isIt)
      ?? openedHosts.objects.first(where: isIt)
  }

  /// In reverse load order, so that most of what an object binds to is relocated before it; copies, then ifuncs
  /// last, when everything they may read is in place.
  private func relocateAll() throws(LoadError) {
    var deferred = DeferredRelocations()
    scope.prepareLookUps(references: graph.objects.reduce(0) { $0 + $1.symbolicRelocationCount })
    defer { scope.finishLookUps() }
    for object in graph.objects.reversed() { try relocate(object, &deferred) }
    for copy in deferred.copies { ProcessMemory.copy(from: copy.source, to: copy.target, count: copy.count) }
    for object in graph.objects { fillTLS(of: object) }
    try finishRelocation(of: graph.objects, deferred)
  }

  func relocate(_ object: LoadedObject, _ deferred: inout DeferredRelocations) throws(LoadError) {
    try makeTextWritable(object, true)
    trace?.relocating(object)
    var relocator = Relocator(object, self)
    try relocator.relocate()
    object.isRelocated = true
    deferred.copies += relocator.deferred.copies
    deferred.indirect += relocator.deferred.indirect
  }

  /// Calls ifunc resolvers and makes what stays constant read-only.
  func finishRelocation(of objects: [LoadedObject], _ deferred: DeferredRelocations) throws(LoadError) {
    for entry in deferred.indirect {
      ProcessMemory.store(ForeignCall.word(entry.resolver) &+ entry.addend, at: entry.slot)
    }
    for object in objects {
      try makeTextWritable(object, false)
      try ObjectMapper.protectRELRO(object)
    }
  }

  /// DT_TEXTREL: relocations reach into segments that are otherwise read-only.
  private func makeTextWritable(_ object: LoadedObject, _ isWritable: Bool) throws(LoadError) {
    guard object.dynamic.hasTextRelocations else { return }
    for load in object.segments.loads where !load.isWritable {
      var protection = Mapping.Protection(segmentFlags: load.flags)
      if isWritable { protection.insert(.write) }
      let start = (object.bias &+ load.address) & ~(Segments.pageSize - 1)
      let end = (object.bias &+ load.end + Segments.pageSize - 1) & ~(Segments.pageSize - 1)
      do throws(Errno) { try Mapping.protect(start, end - start, protection) } catch {
        throw LoadError(.protectFailed(error), object.path)
      }
    }
  }

  /// The object's initial values go into the image from which new threads are made, and into the block of the
  /// one thread that exists.
  func fillTLS(of object: LoadedObject) {
    guard let segment = object.segments.tls, let offset = object.tlsOffset, segment.fileSize > 0,
      object.hostTLS == nil
    else { return }
    let source = object.bias &+ segment.address
    if let standIn { ProcessMemory.copy(from: source, to: standIn.tlsImage + offset, count: segment.fileSize) }
    ProcessMemory.copy(from: source, to: tlsBlock + offset, count: segment.fileSize)
  }

  /// The C library took its environment from the host's vector, which lacks what a loader takes for itself; the
  /// program sees, changes and passes on its own.
  private func publishEnvironment() {
    let environment = programStackAddress + UInt64(programStack.arguments.count + 2) * 8
    for name in ["__environ", "_environ", "environ"] as [StaticString] {
      guard let found = scope.find(SymbolName(name), version: nil), found.symbol.isObject, found.symbol.size == 8,
        found.object.segment(atMemory: found.address)?.isWritable ?? false
      else { continue }
      ProcessMemory.store(environment, at: found.address)
    }
  }

  /// The host's copy of the auxiliary vector stays in use by getauxval(3): it gets the program's values.
  private func restoreAuxiliaryVector() {
    guard standIn != nil else { return }
    for type in [AT_PHDR, AT_PHNUM, AT_BASE, AT_ENTRY] { hostStack[type] = programStack[type] }
    hostStack.write(at: hostStack.address)
  }
}
