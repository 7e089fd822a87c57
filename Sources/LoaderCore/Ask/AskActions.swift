import CKernel

/// What may be asked of the updater. On the helper thread.
extension Updater {
  /// While paused no object is replaced, and no text is away. Files that change meanwhile are looked at afterwards.
  func setPaused(_ paused: Bool) {
    isPaused = paused
    program.stale?.setPaused(paused)
  }

  enum Undoing {
    case done
    /// It waits, as an update does that needs a thread of the program.
    case waits
    case refused(Text)
  }

  /// Back to the version that was current before, whatever the file holds: an update as any other, of that version's
  /// content, with hooks where these take the state over.
  func undo(_ shared: SharedObject) -> Undoing {
    program.updateLock.lock()
    defer { program.updateLock.unlock() }
    if program.usesUpdatePoint { return .refused(Text("the program itself says when objects are replaced")) }
    if isPending(shared) {
      _ = withdrawPending([])
      return .done
    }
    guard let previous = shared.previous, previous !== shared.current, let content = previous.fileContent,
      let own = shared.current.fileContent
    else { return .refused(Text("there is no version before this one")) }
    setBusy(true)
    defer { setBusy(false) }
    do throws(UpdateFailure) {
      if let file = try? FileDescriptor.status(of: shared.path) { try checkNotOverwritten(shared, file) }
      let copy: PrivateCopy
      do throws(CopyFailure) {
        copy = try PrivateCopy(of: content, status: previous.status, path: shared.path)
      } catch {
        throw UpdateFailure(error.event, error.cause, error.text)
      }
      defer { copy.closeDescriptor() }
      apply([try examine(shared, copy, own)])
    } catch {
      return .refused(error.detail)
    }
    if shared.current.fileContent == content { return .done }
    if isPending(shared) { return .waits }
    return .refused(
      program.status.ledger.last(of: shared.path) { $0.event != .reusedOutdated }?.detail
        ?? Text("the version before can't be taken again"))
  }

  func isPending(_ shared: SharedObject) -> Bool { waitsFor(shared) != nil }

  /// What an update of it waits for; nil: there is none.
  func waitsFor(_ shared: SharedObject) -> Text? {
    program.lock.lock()
    defer { program.lock.unlock() }
    guard pendingVersions.contains(where: { $0.shared === shared }) else {
      return nil
    }
    return waiting?.reason ?? Text("a thread of the program")
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
      let verdict = try compare(shared, with: copy.bytes)
      var text = Text()
      // The settings of this process count, as they do in an update.
      text.append(json: verdict, isTaken: program.settings.takes(verdict))
      text.removeLineEnd()
      return text
    } catch {
      return AskDesk.error(error.detail)
    }
  }

  private func compare(_ shared: SharedObject, with content: Bytes) throws(UpdateFailure) -> Verdict {
    guard let own = shared.current.fileContent else {
      throw UpdateFailure(.incompatible, "file", Text("the running version's file is not known"))
    }
    do throws(ELFError) {
      let old: Binary
      if let known = shared.current.binary { old = known } else { old = try binary(own) }
      return verdict(shared, old, try binary(content, like: old)).verdict
    } catch {
      throw UpdateFailure(LoadError(.malformed(error), shared.path))
    }
  }
}
