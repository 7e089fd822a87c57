import CKernel

/// From a changed file to a version that only has to be bound and committed.
extension Updater {
  enum Prepared {
    case candidate(NewVersion)
    /// There is nothing to do, which was told.
    case unchanged
    /// The file will come again.
    case unsettled
  }

  func prepare(_ shared: SharedObject, _ watcher: FileWatcher?) throws(UpdateFailure) -> Prepared {
    let foresight = takeForesight(shared)
    let isDoubted = shared.isDoubted
    shared.isDoubted = false
    if isUnmodified(shared) {
      report(.sameTime, shared)
      return .unchanged
    }
    let copy: PrivateCopy
    if let foresight {
      copy = foresight.copy
    } else {
      do throws(CopyFailure) { copy = try PrivateCopy(of: shared.path) } catch {
        if error == .changed {
          if watcher?.postpone(id: shared.id) == true { return .unsettled }
          // The next `__luci_update` looks again.
          shared.seen = SeenFile()
        }
        var failure = UpdateFailure(error.event, error.cause, error.text)
        failure.isAboutAccess = error.event == .openFailed
        throw failure
      }
    }
    defer { copy.closeDescriptor() }
    if isDoubted, copy.status == shared.seen.status, shared.current.fileContent == copy.bytes { return .unchanged }
    if let refusal = FileVetting(program.settings).refusal(path: shared.path, file: copy.status) {
      var failure = UpdateFailure(.incompatible, refusal.cause, refusal.text)
      failure.isAboutAccess = true
      throw failure
    }
    try checkNotOverwritten(shared, copy.status)
    guard let content = shared.current.fileContent else { return .unchanged }
    if program.settings.skipsIdentical, content == copy.bytes {
      report(.sameHash, shared)
      return .unchanged
    }
    return .candidate(try examine(shared, copy, content, foresight?.examination))
  }

  /// LD_USE_MTIME: the file's modification time tells.
  func isUnmodified(_ shared: SharedObject) -> Bool {
    guard program.settings.comparesModificationTime, let mapped = shared.current.status else { return false }
    return (try? FileDescriptor.status(of: shared.path))?.isModified(since: mapped) == false
  }

  /// A file that is mapped itself and was written to in place has changed under the running code: there is nothing
  /// left to compare with, and nothing that could be gone back to.
  func checkNotOverwritten(_ shared: SharedObject, _ status: FileStatus) throws(UpdateFailure) {
    for version in shared.versions where version.privateCopy == nil && !version.isFileReleased {
      guard let mapped = version.status, mapped.isSameFile(as: status), mapped != status else { continue }
      if mapped.size == status.size, mapped.modifiedSeconds == status.modifiedSeconds,
        mapped.modifiedNanoseconds == status.modifiedNanoseconds
      {
        continue
      }
      throw UpdateFailure(
        .incompatible, "overwritten-in-place", Text("the mapped file itself was overwritten: restart needed"))
    }
  }

  /// Bean's verdict for this process: with its settings, and the exports that something here uses.
  func verdict(
    _ shared: SharedObject, _ old: Binary, _ new: Binary
  ) -> (verdict: Verdict, missed: [MissedExport]) {
    var used: UsedSymbols?
    var missed: [MissedExport] = []
    let copied = UsedSymbols(copiedBy: program.executable)
    let verdict = Bean.compare(
      old: old, new: new, countsChangesForCallers: program.settings.checksDependencies,
      isCopied: copied.isEmpty ? nil : { (name, version) in copied.contains(name, version) }
    ) { (name, version) in
      if used == nil { used = usedSymbols(of: shared) }
      let isUsed = used?.contains(name, version) ?? true
      missed.append(MissedExport(name: name, version: version, isUsed: isUsed))
      return isUsed
    }
    return (verdict, missed)
  }

  /// Program threads that open libraries change the lists that this reads.
  private func usedSymbols(of shared: SharedObject) -> UsedSymbols {
    program.lock.lock()
    defer { program.lock.unlock() }
    return UsedSymbols(program, of: shared)
  }

  private func hasNoObjectsNow(_ verdict: Verdict, of shared: SharedObject) -> Bool {
    program.lock.lock()
    defer { program.lock.unlock() }
    return hasNoObjects(verdict, of: shared)
  }

  /// What would be missed is, or is not, in use as it was when the verdict was made.
  private func holds(_ examination: Examination, for shared: SharedObject) -> Bool {
    if examination.missed.isEmpty { return true }
    let used = usedSymbols(of: shared)
    return !examination.missed.contains { used.contains($0.name, $0.version) != $0.isUsed }
  }

  /// Bean's work, without any consequence.
  func examination(_ shared: SharedObject, _ new: Bytes, _ content: Bytes) throws(UpdateFailure) -> Examination {
    do throws(ELFError) {
      let parsed = try ObjectFile(new)
      guard parsed.dynamic != nil else { throw ELFError(.dynamicOutside, at: 0) }
      let oldBinary: Binary
      if let known = shared.current.binary { oldBinary = known } else { oldBinary = try binary(content) }
      shared.current.binary = oldBinary
      let bytes = shared.versions.first { $0.fileContent == new }?.fileContent ?? new
      let newBinary = try binary(bytes, like: oldBinary)
      let (verdict, missed) = self.verdict(shared, oldBinary, newBinary)
      return Examination(parsed: parsed, old: oldBinary, binary: newBinary, verdict: verdict, missed: missed)
    } catch {
      throw UpdateFailure(LoadError(.malformed(error), shared.path))
    }
  }

  func examine(
    _ shared: SharedObject, _ copy: PrivateCopy, _ content: Bytes, _ known: Examination? = nil
  ) throws(UpdateFailure) -> NewVersion {
    let examination: Examination
    if let known, holds(known, for: shared) {
      examination = known
    } else {
      examination = try self.examination(shared, copy.bytes, content)
    }
    let (parsed, newBinary, verdict) = (examination.parsed, examination.binary, examination.verdict)
    let isBound = program.settings.binds(verdict)
    guard isBound || verdict.hooksTakeState else { throw UpdateFailure(verdict) }
    let isLayoutKnown = try checkDebugHash(shared, shared.current.binary?.file ?? parsed, parsed) || !isBound
    if program.settings.refusesLayoutRisks, !verdict.risks.isEmpty, !isLayoutKnown,
      !hasNoObjectsNow(verdict, of: shared)
    {
      throw UpdateFailure.layoutRisk(verdict)
    }
    let givesImages = program.settings.debug.contains(.images)
    if givesImages { VersionImage.keep(shared.current) }
    if isBound, let known = shared.version(with: copy.bytes, ownsState: verdict.newOwnsState) {
      try checkHomes(of: known, shared.current, verdict)
      known.binary = newBinary
      return NewVersion(
        shared: shared, object: known, verdict: verdict, oldBinary: examination.old, binary: newBinary,
        isFresh: false, isLayoutKnown: isLayoutKnown)
    }
    guard parsed.segments.tls?.memorySize ?? 0 == 0 || shared.current.hasTLS else {
      throw UpdateFailure(
        .incompatible, "tls-layout", Text("the new version has thread-local data, the old one has none"))
    }
    let needsProgramThread = try bringsLibraries(parsed, shared) || !isBound
    let object = try map(parsed, copy.descriptor, copy.status, verdict, shared, isMigrated: !isBound)
    object.fileContent = copy.bytes
    if givesImages { VersionImage.keep(object) }
    object.binary = newBinary
    object.privateCopy = copy
    return NewVersion(
      shared: shared, object: object, verdict: verdict, oldBinary: examination.old, binary: newBinary, isFresh: true,
      isMigrated: !isBound, needsProgramThread: needsProgramThread, isLayoutKnown: isLayoutKnown)
  }

  /// A version that is mapped already was bound when it was new: the same homes must follow from the current one.
  private func checkHomes(of known: LoadedObject, _ current: LoadedObject, _ verdict: Verdict) throws(UpdateFailure) {
    if verdict.newOwnsState || known === current { return }
    let shared = verdict.mapping.pieces.filter { $0.kind == .shared }
    let wanted = NewVersion.binding(of: known, to: current, shared)
    guard (known.binding ?? StateBinding(runs: [])).agrees(with: wanted) else {
      throw UpdateFailure(
        .incompatible, "homes-differ", Text("its variables were found elsewhere when it was mapped first"))
    }
  }

  /// The room is shared with program threads that open libraries.
  private func map(
    _ parsed: ObjectFile, _ file: FileDescriptor, _ status: FileStatus, _ verdict: Verdict, _ shared: SharedObject,
    isMigrated: Bool
  ) throws(UpdateFailure) -> LoadedObject {
    program.lock.lock()
    defer { program.lock.unlock() }
    return try NewVersion.map(parsed, file, status, verdict, for: shared, isMigrated: isMigrated, room)
  }

  /// Whether it needs libraries that are not there: loading them runs their constructors, which only a program
  /// thread may do.
  private func bringsLibraries(_ parsed: ObjectFile, _ shared: SharedObject) throws(UpdateFailure) -> Bool {
    program.lock.lock()
    defer { program.lock.unlock() }
    for offset in parsed.dynamic?.needed ?? [] {
      guard let name = parsed.symbols.string(at: offset) else {
        throw UpdateFailure(LoadError(.malformed(ELFError(.stringTable, at: offset)), shared.path))
      }
      if !program.isLoaded(name) { return true }
    }
    return false
  }

  /// Candidates are mapped once more because others that they were bound to were taken out.
  func remapAll(_ candidates: [NewVersion]) -> [NewVersion] {
    var failed: [SharedObject] = []
    let remaining = candidates.compactMap { candidate in
      let again = remap(candidate)
      if again == nil { failed.append(candidate.shared) }
      return again
    }
    return keepWhole(remaining, without: failed)
  }

  private func remap(_ candidate: NewVersion) -> NewVersion? {
    guard candidate.isFresh, let copy = candidate.object.privateCopy else { return candidate }
    candidate.discard(room)
    do throws(UpdateFailure) {
      let parsed: ObjectFile
      do throws(ELFError) { parsed = try ObjectFile(copy.bytes) } catch {
        throw UpdateFailure(LoadError(.malformed(error), candidate.shared.path))
      }
      let file = try Updater.memoryFile(copy, candidate.shared.path)
      defer { file.close() }
      let object = try map(
        parsed, file, copy.status, candidate.verdict, candidate.shared, isMigrated: candidate.isMigrated)
      object.fileContent = copy.bytes
      object.imageName = candidate.object.imageName
      object.binary = candidate.binary
      object.privateCopy = copy
      return NewVersion(
        shared: candidate.shared, object: object, verdict: candidate.verdict, oldBinary: candidate.oldBinary,
        binary: candidate.binary, isFresh: true,
        isMigrated: candidate.isMigrated, needsProgramThread: candidate.needsProgramThread,
        isLayoutKnown: candidate.isLayoutKnown, hasNoObjects: candidate.hasNoObjects)
    } catch {
      refuse(candidate.shared, error)
      return nil
    }
  }

  /// The copy's descriptor is closed by now: the same bytes in a file of memory again.
  private static func memoryFile(_ copy: PrivateCopy, _ path: Path) throws(UpdateFailure) -> FileDescriptor {
    do throws(Errno) {
      let file = try FileDescriptor.inMemory(named: path.lastComponent)
      try file.writeAll(copy.bytes)
      return file
    } catch {
      throw UpdateFailure(LoadError(.mapFailed(error), path))
    }
  }
}

extension UpdateFailure {
  /// Bean's first reason, in full, and how many more there are.
  init(_ verdict: Verdict) {
    var detail = Text()
    if let first = verdict.reasons.first { detail.append(first) }
    if verdict.reasonCount > 1 {
      detail.append(" (and ")
      detail.append(decimal: verdict.reasonCount - 1)
      detail.append(" more)")
    }
    self.init(.incompatible, verdict.reasons.first?.kind.code ?? "refused", detail)
  }
}
