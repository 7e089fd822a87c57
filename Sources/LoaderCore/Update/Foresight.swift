import CKernel

/// What was found out about a changed file while it settled, a time that is long enough for most comparisons. It
/// counts only if, when that time is over, the file still has these bytes and the same version runs.
final class Foresight {
  /// The version that it was compared with.
  let old: LoadedObject
  let copy: PrivateCopy
  /// nil: not looked at, since the file has the content of the version in use.
  let examination: Examination?

  init(_ old: LoadedObject, _ copy: PrivateCopy, _ examination: Examination?) {
    self.old = old
    self.copy = copy
    self.examination = examination
  }
}

/// What Bean says of a new file.
struct Examination {
  let parsed: ObjectFile
  let old: Binary
  let binary: Binary
  let verdict: Verdict
  /// Exports that would be missed, and whether anything used them.
  let missed: [MissedExport]
}

struct MissedExport {
  let name: Bytes
  let version: Bytes
  let isUsed: Bool
}

extension Updater {
  /// Looks at files that have changed and may be at rest. Nothing is told of what is found: it is found again, or
  /// holds still, when they have settled.
  func foresee(_ changed: [SharedObject]) {
    program.updateLock.lock()
    defer { program.updateLock.unlock() }
    // These may yet become what runs.
    if isPaused || program.usesUpdatePoint || waiting != nil || program.gatedUpdate != nil { return }
    setBusy(true)
    defer { setBusy(false) }
    do throws(Errno) { try Credentials.followProgram() } catch { return }
    for shared in changed where !shared.isGone {
      shared.foresight = nil
      shared.foresight = foresight(of: shared)
    }
  }

  private func foresight(of shared: SharedObject) -> Foresight? {
    guard let content = shared.current.fileContent, !isUnmodified(shared) else { return nil }
    do throws(CopyFailure) {
      let copy = try PrivateCopy(of: shared.path)
      guard FileVetting(program.settings).refusal(path: shared.path, file: copy.status) == nil else { return nil }
      if program.settings.skipsIdentical, content == copy.bytes { return Foresight(shared.current, copy, nil) }
      return Foresight(shared.current, copy, try? examination(shared, copy.bytes, content))
    } catch {
      return nil
    }
  }

  /// What is known already, if it is true still.
  func takeForesight(_ shared: SharedObject) -> Foresight? {
    guard let known = shared.foresight else { return nil }
    shared.foresight = nil
    guard known.old === shared.current, known.copy.isStill(at: shared.path) else { return nil }
    return known
  }

  /// What is known of a version in use is of use for the next update if that comes soon (10 s). Later it is found out
  /// again while the file settles, and until then its memory, about once the file's size, is the program's. Returns
  /// when there is something to give back.
  func releaseBinaries(_ all: [SharedObject]) -> UInt64? {
    guard let due = releaseDue else { return nil }
    if ClockTime.monotonic() < due { return due }
    program.lock.lock()
    defer { program.lock.unlock() }
    // These look at them once more when they are made.
    if waiting != nil || program.gatedUpdate != nil {
      releaseDue = ClockTime.monotonic() + Updater.releaseTime
      return releaseDue
    }
    for shared in all where shared.foresight == nil { shared.current.binary = nil }
    releaseDue = nil
    return nil
  }

  static var releaseTime: UInt64 { 10_000_000_000 }

  /// In a forked child: descriptors are those of the helper's table. What the child has a copy of may
  /// be half changed, and is left as it is.
  func dropForesight() {
    for shared in objects {
      if let known = shared.foresight { _ = Unmanaged.passRetained(known) }
      shared.foresight = nil
    }
  }
}

extension PrivateCopy {
  /// Whether the file there has the same status and content. A status alone does not tell: its times are those of the
  /// kernel's last tick, up to 10 ms ago, and memory that a file is mapped to changes without a new one.
  func isStill(at path: Path) -> Bool {
    guard let file = try? FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY) else { return false }
    defer { file.close() }
    guard let before = try? file.status(), before == status, hasContent(of: file) else { return false }
    return (try? file.status()) == status
  }

  private func hasContent(of file: FileDescriptor) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    var done = 0
    while done < bytes.count {
      guard let count = try? buffer.fill(from: file, at: 0), count > 0 else { return false }
      let isSame = buffer.withUnsafeBytes { (part) in
        let read = Bytes(UnsafeRawBufferPointer(rebasing: part[0..<count]))
        return bytes.slice(at: UInt64(done), count: UInt64(count)) == read
      }
      if !isSame { return false }
      done += count
    }
    return true
  }
}
