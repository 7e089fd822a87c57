import CKernel

/// dlclose(3): an object goes when nothing in the process needs it any more.
///
/// What keeps an object: a handle that is not closed; an object that needs it (DT_NEEDED) or is bound to it; the
/// program itself; RTLD_NODELETE, DF_1_NODELETE or a unique symbol that others may be bound to; a destructor of a
/// thread's variable that is still to run. All versions of an object stay or go together.
extension Program {
  public func close(_ handle: UInt64) -> Int32 {
    lock.lock()
    defer { lock.unlock() }
    waitForHelper(closing: handle)
    guard let object = object(forHandle: handle) else {
      if linkMaps.owns(handle) || handle == 0 {
        setError(Text("shared object not open"))
        return -1
      }
      return closeInHost(handle)
    }
    guard object.openCount > 0 else {
      var text = Text()
      object.path.write(to: &text)
      text.append(object.path.isEmpty ? "shared object not open" : ": shared object not open")
      setError(text)
      return -1
    }
    object.openCount -= 1
    if object.openCount == 0 { closeUnused() }
    return 0
  }

  /// While the helper reads objects, none can go. It takes some milliseconds; who closes something in a constructor keeps
  /// the helper from coming to an end.
  private func waitForHelper(closing handle: UInt64) {
    let deadline = ClockTime.monotonic() + Program.longestWait
    while updater?.isBusy == true, !lock.isNested, object(forHandle: handle)?.openCount == 1,
      ClockTime.monotonic() < deadline
    {
      lock.unlock()
      _ = try? FileDescriptor.waitForInput([], nanoseconds: 100_000)
      lock.lock()
    }
  }

  private static var longestWait: UInt64 { 1_000_000_000 }

  /// Runs the destructors of all objects that nothing needs, and takes the objects out of the process.
  private func closeUnused() {
    let unused = unusedObjects()
    if unused.isEmpty { return }
    // From here on a destructor that opens such a library gets a new image, and one that closes another object does
    // not come upon these again.
    for object in unused { object.isClosing = true }
    updater?.withdrawPending(closing: unused)
    for object in DestructorOrder.sorted(unused) {
      guard let index = initialised.firstIndex(where: { $0 === object }) else { continue }
      initialised.remove(at: index)
      runDestructors(of: object)
    }
    unload(unused)
  }

  private func unusedObjects() -> [LoadedObject] {
    let all = registry.objects
    guard all.contains(where: { $0.isOpened && !$0.isClosing }) else { return [] }
    var used = all.filter { isRoot($0) }
    for object in used { object.isMarked = true }
    var index = 0
    while index < used.count {
      let versions = used[index].identity?.versions ?? []
      for other in used[index].dependencies + used[index].boundTo + versions where !other.isMarked {
        other.isMarked = true
        used.append(other)
      }
      index += 1
    }
    let unused = all.filter { !$0.isMarked && !$0.isClosing }
    for object in used { object.isMarked = false }
    return unused
  }

  private func isRoot(_ object: LoadedObject) -> Bool {
    if !object.isOpened || object.isPinned || object.openCount > 0 || object.hasThreadDestructors { return true }
    guard let shared = object.identity else { return false }
    // The helper reads the object's tables without the lock while it prepares an update.
    if updater?.isBusy == true { return true }
    // Its outdated text is watched from another thread.
    if shared.versions.count > 1, let stale, stale.mode != .disabled { return true }
    guard let gatedUpdate, gatedUpdate.isBeingMade else { return false }
    return gatedUpdate.versions.contains { $0.shared === shared }
  }

  /// Takes objects out of the process, whose destructors ran or whose constructors never did.
  func unload(_ objects: [LoadedObject]) {
    if objects.isEmpty { return }
    for object in objects { object.isClosing = true }
    updater?.withdrawPending(closing: objects)
    let isGone = { (object: LoadedObject) in objects.contains { $0 === object } }
    initialised.removeAll(where: isGone)
    graph.remove(where: isGone)
    scope.remove(where: isGone)
    uniqueSymbols.remove(where: isGone)
    // Outdated versions of others are in the registry alone.
    for object in graph.objects + registry.objects where !object.isClosing {
      object.localScope?.remove(where: isGone)
      object.boundTo.removeAll(where: isGone)
    }
    entryStubs.forget(objects, among: registry.objects)
    gatedUpdate?.forget(objects)
    updater?.forget(objects)
    if registry.objects.contains(where: isGone) {
      debugger.announce(.removing)
      registry.publish(registry.objects.filter { !isGone($0) })
      publishLinkMaps()
    }
    // One for all versions.
    for module in Set(objects.map { $0.tlsModule }) where module != 0 { tlsModules.remove(module) }
    for object in objects {
      giveSurplusBack(of: object)
      if object.linkMap != 0 { linkMaps.free(object) }
      registry.unmap(object.memoryRange)
      object.release()
    }
    if isUpdatePointBound { reconsiderHelper() }
  }
}

extension Program {
  /// Where destructors of threads' variables in the object that `handle` (__dso_handle) lies in are counted.
  public func threadDestructors(of handle: UInt64) -> UInt64 {
    registry.object(containing: handle)?.threadDestructors ?? 0
  }
}

extension LoadedObject {
  func countThreadDestructors() {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
    threadDestructors = UInt64(UInt(bitPattern: memory))
    ProcessMemory.zero(threadDestructors, count: 16)
  }

  /// Gives back what only a mapped object needs, and ends cycles of references.
  func release() {
    freeTLSDescriptors()
    if threadDestructors != 0 { ProcessMemory.pointer(threadDestructors).deallocate() }
    threadDestructors = 0
    dependencies = []
    boundTo = []
    localScope = nil
    stateHome = nil
    binary = nil
    if let content = fileContent, privateCopy == nil { Mapping.unmap(content.memoryAddress, UInt64(content.count)) }
    fileContent = nil
    privateCopy = nil
  }
}
