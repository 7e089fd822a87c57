/// LD_DEBUG_HASH: what debug information says about two versions is exact where Bean only sees signs.
extension Updater {
  /// Throws where the layout of types differs. Returns whether it is known to be the same; a service that does not
  /// answer makes one warning, and Bean's own verdict counts.
  func checkDebugHash(_ shared: SharedObject, _ old: ObjectFile, _ new: ObjectFile) throws(UpdateFailure) -> Bool {
    guard let address = program.settings.debugHashAddress else { return false }
    var text = Text()
    switch DebugHashQuery.ask(address, old: old.buildID ?? .empty, new: new.buildID ?? .empty) {
    case .same: return true
    case .different:
      throw UpdateFailure(
        .incompatible, "debug-hash", Text("debug information says that the layout of types is another one"))
    case .unknown: text.append("no layout hash is known for ")
    case .failed(let error):
      text.append("the service of LD_DEBUG_HASH does not answer (")
      text.append(error.text)
      text.append(") for ")
    }
    text.append(printable: shared.name)
    text.append("; what the files show decides")
    program.log.warning(text)
    return false
  }
}
