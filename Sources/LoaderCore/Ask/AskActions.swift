import CKernel

/// What may be asked of the updater. On the helper thread.
extension Updater {
  /// While paused no object is replaced, and no text is away. Files that change meanwhile are looked at afterwards.
  func setPaused(_ paused: Bool) {
    isPaused = paused
    program.stale?.setPaused(paused)
  }

  /// Back to the version that was current before, whatever the file holds; nil: done, else why not.
  func undo(_ shared: SharedObject) -> Text? {
    program.updateLock.lock()
    defer { program.updateLock.unlock() }
    if program.usesUpdatePoint { return Text("the program itself says when objects are replaced") }
    if isPending(shared) {
      _ = withdrawPending([])
      return nil
    }
    guard let previous = shared.previous, previous !== shared.current, let content = previous.fileContent else {
      return Text("there is no version before this one")
    }
    do throws(UpdateFailure) {
      let (verdict, binary) = try compare(shared, with: content)
      guard verdict.accepted || (program.settings.forcesUpdate && verdict.isContentOnly) else {
        throw UpdateFailure(verdict)
      }
      apply([NewVersion(shared: shared, object: previous, verdict: verdict, binary: binary, isFresh: false)])
      return nil
    } catch {
      return error.detail
    }
  }

  /// An update of it waits: for a thread of the program, or until no object of an old layout lives.
  func isPending(_ shared: SharedObject) -> Bool {
    program.lock.lock()
    defer { program.lock.unlock() }
    return (waiting?.versions ?? program.gatedUpdate?.versions ?? []).contains { $0.shared === shared }
  }

  /// Bean's verdict about a file against what runs now, in the words of `ld-luci.so --check --json`.
  func verdictText(_ shared: SharedObject, _ path: Path) -> Text {
    do throws(UpdateFailure) {
      let copy: PrivateCopy
      do throws(CopyFailure) { copy = try PrivateCopy(of: path) } catch {
        throw UpdateFailure(error.event, error.cause, error.text)
      }
      if shared.current.fileContent == copy.bytes {
        var fields = JSONFields()
        fields.add("verdict", "same")
        return fields.object
      }
      let verdict = try compare(shared, with: copy.bytes).verdict
      var text = Text()
      text.append(json: verdict)
      text.removeLineEnd()
      return text
    } catch {
      return AskDesk.error(error.detail)
    }
  }

  private func compare(
    _ shared: SharedObject, with content: Bytes
  ) throws(UpdateFailure) -> (verdict: Verdict, binary: Binary) {
    guard let own = shared.current.fileContent else {
      throw UpdateFailure(.incompatible, "file", Text("the running version's file is not known"))
    }
    do throws(ELFError) {
      let old: Binary
      if let known = shared.current.binary { old = known } else { old = try Binary(own) }
      let new = try Binary(content, like: old)
      program.lock.lock()
      let used = UsedSymbols(program, of: shared)
      program.lock.unlock()
      return (Bean.compare(old: old, new: new) { used.contains($0, $1) }, new)
    } catch {
      throw UpdateFailure(LoadError(.malformed(error), shared.path))
    }
  }
}
