import CKernel

/// A newer version of an object on its way: mapped within reach of the state, bound to it, relocated, protected.
/// Nothing of the running program has changed so far; whatever fails here leaves no trace.
struct NewVersion {
  let shared: SharedObject
  let object: LoadedObject
  let verdict: Verdict
  /// What Bean knows of the version that it replaces, and of itself.
  let oldBinary: Binary
  let binary: Binary
  /// The image is new; otherwise it is a version that was current before.
  let isFresh: Bool
  /// Hooks take its state over: it has its own, and its constructors run.
  var isMigrated = false
  /// It brings libraries with constructors.
  var needsProgramThread = false

  /// Whoever knows says that structures have the same layout.
  var isLayoutKnown = false
  /// Nothing in the process makes objects that may have another layout.
  var hasNoObjects = false

  var old: LoadedObject { shared.current }
  /// Objects that old code made may not suit this version.
  var hasLayoutRisk: Bool { !isLayoutKnown && !hasNoObjects && !verdict.risks.isEmpty }
}

/// Why an update was not made, in the words of status lines.
struct UpdateFailure: Error {
  let event: StatusEvent
  let cause: StaticString
  let detail: Text
  /// Another owner or mode of the file or its directory may be all that is needed.
  var isAboutAccess = false

  init(_ event: StatusEvent, _ cause: StaticString, _ detail: Text) {
    self.event = event
    self.cause = cause
    self.detail = detail
  }

  /// Not a failure to be told: a gate is put up.
  static var needsProgramThread: UpdateFailure {
    UpdateFailure(.incompatible, "program-thread-needed", Text("it needs work on a thread of the program"))
  }
  var isGate: Bool { Bytes(cause) == Bytes("program-thread-needed") }

  init(_ error: LoadError) {
    switch error.kind {
    case .malformed: self.init(.unsupportedFormat, "malformed", error.message)
    case .symbolNotFound: self.init(.incompatible, "symbol-missing", error.message)
    case .versionNotFound: self.init(.incompatible, "version-missing", error.message)
    case .noSpaceNear: self.init(.notCreated, "no-space-near", error.message)
    default: self.init(.mappingFailed, "mapping", error.message)
    }
  }
}

extension NewVersion {
  /// Maps the segments of `file` and puts down how its state leads to the old version's.
  static func map(
    _ parsed: ObjectFile, _ file: FileDescriptor, _ status: FileStatus, _ verdict: Verdict, for shared: SharedObject,
    isMigrated: Bool, _ room: UpdateRoom
  ) throws(UpdateFailure) -> LoadedObject {
    let old = shared.current
    let object: LoadedObject
    do throws(LoadError) {
      let place = try place(for: parsed.segments, near: shared, room)
      let bias = try ObjectMapper.map(
        parsed.segments, of: file, at: place.start, isOwn: place.isOwn, path: shared.path)
      object = try ObjectFactory.object(parsed, bias: bias, path: shared.path, name: shared.name, status: status)
    } catch {
      throw UpdateFailure(error)
    }
    object.tlsOffset = old.tlsOffset
    object.tlsModule = old.tlsModule
    object.localScope = old.localScope
    object.prefersLocalScope = old.prefersLocalScope
    object.dependencies = old.dependencies
    object.isPinned = object.dynamic.staysLoaded
    if old.isOpened { object.countThreadDestructors() }
    object.constructorsRun = !isMigrated
    if !verdict.newOwnsState && !isMigrated {
      object.binding = binding(of: object, to: old, verdict.mapping.pieces)
      object.stateHome = old.stateOwner
    }
    return object
  }

  /// Room that was set aside, or what is free, near the state.
  private static func place(
    for segments: Segments, near shared: SharedObject, _ room: UpdateRoom
  ) throws(LoadError) -> (start: UInt64, isOwn: Bool) {
    let home = shared.current.stateOwner.memoryRange
    if let own = room.take(segments.span.count, alignment: segments.alignment, near: home) { return (own, true) }
    for _ in 0..<4 {
      guard let maps = try? FreeSpace.read(),
        let place = FreeSpace.nearest(to: home, size: segments.span.count + segments.alignment, in: maps)
      else { break }
      let aligned = (place + segments.alignment - 1) & ~(segments.alignment - 1)
      // Somebody else may have taken the room by now; ObjectMapper would tell, but this is cheaper to repeat.
      if let got = try? Mapping.anonymous(segments.span.count, .none, at: aligned, reserveOnly: true) {
        Mapping.unmap(got, segments.span.count)
        return (aligned, false)
      }
    }
    throw LoadError(.noSpaceNear, shared.path)
  }

  /// What the old version is bound to, the new one is bound to as well; what has no counterpart has its home here.
  static func binding(
    of object: LoadedObject, to old: LoadedObject, _ pieces: [StateMapping.Piece]
  ) -> StateBinding {
    let earlier = old.binding ?? StateBinding(runs: [])
    var runs: [StateBinding.Run] = []
    runs.reserveCapacity(pieces.count)
    for piece in pieces {
      let range = AddressRange(start: object.bias &+ piece.new.start, count: piece.new.count)
      if piece.kind == .shared {
        runs += earlier.runs(for: range, from: old.bias &+ piece.old, hasTakenEnd: piece.hasTakenEnd)
      } else {
        runs.append(StateBinding.Run(range: range, displacement: 0, hasTakenEnd: piece.hasTakenEnd))
      }
    }
    return StateBinding(runs: runs)
  }

  /// Relocates, and points every reference in code to its variable's home.
  func bind(_ context: UpdateContext) throws(UpdateFailure) {
    guard isFresh else { return }
    var relocator = Relocator(object, context)
    do throws(LoadError) { try relocator.relocate() } catch { throw UpdateFailure(error) }
    if !context.mayCall, !relocator.deferred.indirect.isEmpty || relocator.lacksHostFunction {
      throw UpdateFailure.needsProgramThread
    }
    object.isRelocated = true
    do throws(LoadError) {
      try patchCode()
      // Resolvers are code of the new version, or of others: they run when it is bound.
      for entry in relocator.deferred.indirect {
        ProcessMemory.store(ForeignCall.word(entry.resolver) &+ entry.addend, at: entry.slot)
      }
      try ObjectMapper.protectRELRO(object)
    } catch {
      throw UpdateFailure(error)
    }
    closeOwnState()
  }

  /// Writes the displacements that Bean listed. The pages are private copies and nobody runs them yet.
  private func patchCode() throws(LoadError) {
    if verdict.patches.isEmpty || isMigrated { return }
    try setCodeWritable(true)
    for patch in verdict.patches {
      let home = try home(of: patch)
      let displacement = Int64(bitPattern: home &- (object.bias &+ patch.instructionEnd))
      guard displacement == Int64(Int32(truncatingIfNeeded: displacement)) else {
        throw LoadError(.noSpaceNear, shared.path, position: patch.fieldAddress)
      }
      guard let segment = object.image.segment(at: patch.fieldAddress), segment.isExecutable,
        segment.memorySize - (patch.fieldAddress - segment.address) >= 4
      else { throw LoadError(.malformed(ELFError(.relocationEntry, at: patch.fieldAddress)), shared.path) }
      ProcessMemory.store(Int32(truncatingIfNeeded: displacement), at: object.bias &+ patch.fieldAddress)
    }
    try setCodeWritable(false)
  }

  /// In a function that is the same the old version's code leads there; else its binding does.
  private func home(of patch: Patch) throws(LoadError) -> UInt64 {
    let target = old.bias &+ patch.oldTarget
    let home: UInt64
    if patch.oldField != 0, let derived = old.derivedHomes[patch.oldField] {
      home = derived
    } else {
      if patch.oldField == 0, patch.isAddress, let binding = old.binding, binding.isBorder(target) {
        throw LoadError(.ambiguousHome, shared.path, position: patch.fieldAddress)
      }
      home = old.binding?.home(derived: target) ?? target
    }
    if let binding = object.binding, binding.home(derived: object.bias &+ patch.newTarget) != home {
      object.derivedHomes[patch.fieldAddress] = home
    }
    return home
  }

  private func setCodeWritable(_ isWritable: Bool) throws(LoadError) {
    for load in object.segments.loads where load.isExecutable {
      let start = (object.bias &+ load.address) & ~(Segments.pageSize - 1)
      let end = (object.bias &+ load.end &+ Segments.pageSize - 1) & ~(Segments.pageSize - 1)
      let protection: Mapping.Protection =
        isWritable ? .readWrite : Mapping.Protection(segmentFlags: load.flags)
      do throws(Errno) { try Mapping.protect(start, end - start, protection) } catch {
        throw LoadError(.protectFailed(error), shared.path)
      }
    }
  }

  /// Nobody may use this version's own copy of the state: pages that hold nothing else are made inaccessible, so
  /// that a reference that was missed is seen. Pages with words that unwind tables read stay readable.
  private func closeOwnState() {
    guard let runs = object.binding?.runs, let first = runs.first, let last = runs.last else { return }
    let own = runs.filter { $0.displacement == 0 }
    let mask = Segments.pageSize - 1
    var page = (first.range.start + mask) & ~mask
    while page < last.range.end {
      let start = page &- object.bias
      let isShared = binary.regions.regions.contains {
        $0.kind != .state && $0.range.overlaps(AddressRange(start: start, count: Segments.pageSize))
      }
      let isOwn = own.contains { $0.range.overlaps(AddressRange(start: page, count: Segments.pageSize)) }
      let isRead = verdict.unwindWords.contains { $0 & ~mask == start }
      if !isShared && !isOwn { try? Mapping.protect(page, Segments.pageSize, isRead ? .read : .none) }
      page += Segments.pageSize
    }
  }

  /// Gives the image back: it never was in use.
  func discard(_ room: UpdateRoom) {
    guard isFresh, !room.giveBack(object.memoryRange) else { return }
    Mapping.unmap(object.memoryRange.start, object.memoryRange.count)
  }
}
