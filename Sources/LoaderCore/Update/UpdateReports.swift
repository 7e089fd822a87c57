/// What is told about updates, by status lines and the log.
extension Updater {
  func report(_ event: StatusEvent, _ shared: SharedObject, cause: StaticString? = nil, _ detail: Text? = nil) {
    program.status.report(event, object: shared.name, path: shared.path, cause: cause, detail: detail)
  }

  /// Says once why a file is not taken. It is judged again when somebody closes it who only had it open for writing,
  /// and again it is the same.
  func refuse(_ shared: SharedObject, _ failure: UpdateFailure) {
    let file = try? FileDescriptor.status(of: shared.path)
    let refusal = SharedObject.Refusal(file: file, event: failure.event, detail: failure.detail.bytes)
    if file != nil, shared.refusal == refusal { return }
    shared.refusal = refusal
    report(failure.event, shared, cause: failure.cause, failure.detail)
  }

  /// `isQuiet`: it was committed when no object of the old layout lived.
  func reportUpdated(_ ready: [NewVersion], isQuiet: Bool = false) {
    for version in ready {
      var detail = Text()
      if version.isMigrated { detail.append("state taken over by __luci_serialize and __luci_deserialize; ") }
      detail.appendProof(version.verdict)
      if !version.verdict.variables.isEmpty {
        detail.append("; ")
        detail.appendVariables(version.verdict)
      }
      if !version.verdict.pointers.isEmpty {
        detail.append("; ")
        detail.appendPointers(version.verdict)
      }
      if version.hasLayoutRisk {
        var risks = Text()
        risks.appendRisks(version.verdict)
        detail.append("; ")
        detail.append(risks.bytes)
        if isQuiet { detail.append("; none was alive") } else { warn(version.shared, risks) }
      }
      if version.hasNoObjects {
        detail.append("; ")
        detail.appendRisks(version.verdict)
        detail.append("; nothing in the process makes them")
      }
      report(.updated, version.shared, cause: nil, detail)
    }
  }

  /// Objects that old code made may be used by new code from now on.
  private func warn(_ shared: SharedObject, _ risks: Text) {
    var text = Text()
    text.append(printable: shared.name)
    text.append(": ")
    text.append(risks.bytes)
    program.log.warning(text)
  }
}
