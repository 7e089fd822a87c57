extension Verdict {
  /// The update is made: the new version is bound to the old one's state, or its hooks take that over.
  public var isApplicable: Bool { accepted || hooksTakeState }
}

/// Whether a library's own hooks (include/luci.h) stand in for Bean's proof that two versions can share state.
extension Comparison {
  /// The old version hands its state out, the new one takes it, and nothing but state stands in the way: no thread's
  /// variables, whose blocks exist already, and no export that somebody uses.
  var hooksTakeState: Bool {
    reasonKinds != 0
      && Refusal.isOnly(
        reasonKinds,
        of: [
          .stateSize, .stateContent, .variableMoved, .codeDisagrees, .constructorChanged, .bindingUnproved,
          .largeModel, .variableGrown, .variableUnplaced,
        ])
      && old.exportsFunction("__luci_serialize")
      && new.exportsFunction("__luci_deserialize") && old.threadImage == new.threadImage
  }
}

extension Binary {
  func exportsFunction(_ name: StaticString) -> Bool {
    let wanted = Bytes(name)
    return symbols.entries.contains { $0.isExport && $0.symbol.isFunction && !$0.symbol.isIFunc && $0.name == wanted }
  }

  /// What new threads' variables begin with; empty for nothing but zeros.
  fileprivate var threadImage: Bytes {
    guard let threads = state.threads, threads.fileSize > 0 else { return .empty }
    return file.image.bytes(at: threads.address, count: threads.fileSize) ?? .empty
  }
}
