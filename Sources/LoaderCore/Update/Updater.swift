import CKernel

/// Replaces objects whose files have changed. Lives on the helper thread, which never enters the program's code.
public final class Updater {
  let program: Program
  /// By id.
  private(set) var objects: [SharedObject] = []
  private var watched = 0

  init(_ program: Program) { self.program = program }

  /// Objects of the program that are watched from now on; under the program's lock.
  func register(_ loaded: [LoadedObject]) {
    for object in loaded where object.role == .library && object.fileContent != nil && object.identity == nil {
      objects.append(SharedObject(id: objects.count, object))
    }
  }

  /// In a forked child, whose helper has to put up watches of its own.
  func forgetWatches() { watched = 0 }

  /// The helper's main loop.
  func run(_ watcher: FileWatcher) {
    while true {
      program.lock.lock()
      let all = objects
      program.lock.unlock()
      while watched < all.count {
        watch(all[watched], watcher)
        watched += 1
      }
      do throws(Errno) {
        let batch = try watcher.waitForBatch()
        for id in batch.unwatched where id < all.count {
          report(.notWatched, all[id], cause: "watch-lost", Text("its directory can't be watched any more"))
        }
        if !batch.changed.isEmpty { update(batch.changed.map { all[$0] }, watcher) }
      } catch {
        var text = Text("no further updates: waiting for changes failed: ")
        text.append(error.text)
        return program.log.warning(text)
      }
    }
  }

  private func watch(_ shared: SharedObject, _ watcher: FileWatcher) {
    do throws(Errno) {
      try watcher.add(shared.path, id: shared.id, known: shared.current.status)
    } catch {
      report(.notWatched, shared, cause: "inotify", Text(error.text))
    }
  }

  func report(_ event: StatusEvent, _ shared: SharedObject, cause: StaticString? = nil, _ detail: Text? = nil) {
    program.status.report(event, object: shared.name, path: shared.path, cause: cause, detail: detail)
  }

  /// Files that changed together become one update: what can be shown to be safe is committed at once.
  private func update(_ changed: [SharedObject], _ watcher: FileWatcher) {
    do throws(Errno) { try Credentials.followProgram() } catch {
      for shared in changed { report(.incompatible, shared, cause: "credentials", Text(error.text)) }
      return
    }
    var candidates: [NewVersion] = []
    for shared in changed {
      do throws(UpdateFailure) {
        if let candidate = try prepare(shared, watcher) { candidates.append(candidate) }
      } catch {
        report(error.event, shared, cause: error.cause, error.detail)
      }
    }
    program.lock.lock()
    defer { program.lock.unlock() }
    let ready = bind(candidates)
    if ready.isEmpty { return }
    program.commit(ready)
    for version in ready {
      var proof = TextSink()
      proof.appendProof(version.verdict)
      var detail = Text()
      detail.append(proof.bytes)
      report(.updated, version.shared, cause: nil, detail)
    }
  }

  /// Relocates the candidates against each other. One that fails is taken out, and the others, which may have
  /// been bound to it, are mapped anew without it.
  private func bind(_ candidates: [NewVersion]) -> [NewVersion] {
    var remaining = candidates
    while !remaining.isEmpty {
      let context = UpdateContext(program, remaining.map { ($0.old, $0.object) })
      var failed: Int?
      for (index, candidate) in remaining.enumerated() {
        do throws(UpdateFailure) {
          try checkVersions(of: candidate, remaining)
          try candidate.bind(context)
        } catch {
          report(error.event, candidate.shared, cause: error.cause, error.detail)
          failed = index
          break
        }
      }
      guard let failed else { return remaining }
      remaining[failed].discard()
      remaining.remove(at: failed)
      remaining = remaining.compactMap { remap($0) }
    }
    return []
  }

  private func checkVersions(of candidate: NewVersion, _ all: [NewVersion]) throws(UpdateFailure) {
    do throws(LoadError) {
      try program.checkVersions(of: [candidate.object], replacing: all.map { ($0.old, $0.object) })
    } catch {
      throw UpdateFailure(error)
    }
  }
}
