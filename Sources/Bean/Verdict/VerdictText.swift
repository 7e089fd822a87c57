/// One line for each reason, and the proof line, as status lines and tools show them.
extension Text {
  /// name+0x10, or the address where there is no name.
  public mutating func append(nameOf place: Place) {
    guard place.name.count != 0 else { return append(hex: place.address) }
    append(name: place.name)
    if place.offset != 0 {
      append("+")
      append(hex: place.offset)
    }
  }

  /// name+0x10 (0x4010), or the address alone.
  public mutating func append(_ place: Place) {
    append(nameOf: place)
    guard place.name.count != 0 else { return }
    append(" (")
    append(hex: place.address)
    append(")")
  }

  /// "state-size: .data has 64 bytes, the new version's 72".
  public mutating func append(_ refusal: Refusal) {
    append(refusal.kind.code)
    append(": ")
    switch refusal.kind {
    case .noSections: append("no section headers")
    case .notPositionIndependent: append("code is not position-independent")
    case .stateSize: appendSizes(refusal)
    case .stateContent: appendContent(refusal)
    case .variableMoved: appendMoved(refusal)
    case .variableGrown: appendGrown(refusal)
    case .variableUnplaced: appendUnplaced(refusal)
    case .codeDisagrees: appendDisagreement(refusal)
    case .threadLayout: appendThreads(refusal)
    case .constructorChanged: appendConstructor(refusal)
    case .exportMissing: appendExport(refusal)
    case .bindingUnproved: appendUnproved(refusal)
    case .largeModel:
      append("code of the medium or large model at ")
      appendFunction(refusal)
    }
  }

  private mutating func appendFunction(_ refusal: Refusal) {
    if let function = refusal.function { append(function) } else { append("?") }
  }

  private mutating func appendSubject(_ refusal: Refusal) {
    if let place = refusal.new ?? refusal.old { append(name: place.name) }
  }

  private mutating func appendSizes(_ refusal: Refusal) {
    appendSubject(refusal)
    append(" has ")
    append(decimal: refusal.oldValue ?? 0)
    append(" bytes, in the new version ")
    append(decimal: refusal.newValue ?? 0)
    if refusal.oldValue == refusal.newValue { append(" with a stricter alignment") }
  }

  private mutating func appendContent(_ refusal: Refusal) {
    append("initial content of ")
    if let place = refusal.old { append(place) }
    append(" differs from ")
    if let place = refusal.new { append(place) }
    if let before = refusal.oldValue, let after = refusal.newValue {
      append(": ")
      append(hex: before)
      append(", ")
      append(hex: after)
    }
    guard let function = refusal.function else { return }
    append("; ")
    append(function)
    append(" may call through it without a test")
  }

  private mutating func appendMoved(_ refusal: Refusal) {
    if let place = refusal.old { append(place) }
    append(" of ")
    append(decimal: refusal.oldValue ?? 0)
    append(" bytes is now ")
    if let place = refusal.new { append(place) }
    append(" of ")
    append(decimal: refusal.newValue ?? 0)
  }

  private mutating func appendGrown(_ refusal: Refusal) {
    if let place = refusal.old { append(place) }
    append(" has room for ")
    append(decimal: refusal.oldValue ?? 0)
    append(" bytes, in the new version ")
    if let place = refusal.new { append(place) }
    append(" may have ")
    append(decimal: refusal.newValue ?? 0)
  }

  private mutating func appendUnplaced(_ refusal: Refusal) {
    if let place = refusal.new { append(place) }
    append(" is new, or a variable of the old version: nothing tells")
  }

  private mutating func appendDisagreement(_ refusal: Refusal) {
    // Without addresses to compare, it is one that changed, and another function used the variable.
    guard refusal.oldValue != nil else {
      append("changed functions no longer agree on ")
      if let place = refusal.old { append(place) }
      append(", which ")
      appendFunction(refusal)
      return append(" refers to now")
    }
    append("the unchanged function ")
    appendFunction(refusal)
    append(" referred to ")
    if let place = refusal.old { append(place) }
    append(", now to ")
    if let place = refusal.new { append(place) }
  }

  private mutating func appendThreads(_ refusal: Refusal) {
    if let function = refusal.function {
      append("the changed function ")
      append(function)
      return append(" uses thread-local variables by offset")
    }
    append("thread-local ")
    appendSizes(refusal)
  }

  private mutating func appendConstructor(_ refusal: Refusal) {
    append("init function ")
    appendFunction(refusal)
    append(refusal.old == nil ? " is new" : " changed")
  }

  private mutating func appendExport(_ refusal: Refusal) {
    if let place = refusal.old { append(name: place.name) }
    append(refusal.new == nil ? " is no longer exported" : " has another type or size")
  }

  private mutating func appendUnproved(_ refusal: Refusal) {
    append("bytes at ")
    appendFunction(refusal)
    append(" may refer to ")
    if let place = refusal.new { append(place) }
  }

  /// "proof: 305 functions compared, 290 equal, …; 12 references to state, 31 candidates explained".
  public mutating func appendProof(_ verdict: Verdict) {
    let counters = verdict.counters
    append("proof: ")
    append(decimal: counters.functions)
    append(" functions compared, ")
    append(decimal: counters.equal)
    append(" equal, ")
    append(decimal: counters.changed)
    append(" changed, ")
    append(decimal: counters.added)
    append(" added, ")
    append(decimal: counters.removed)
    append(" removed; ")
    append(decimal: counters.references)
    append(" references to state, ")
    append(decimal: counters.explained)
    append(" of ")
    append(decimal: counters.candidates)
    append(" candidates explained")
  }

  /// "pointers: 2 initial values are other ones, and follow where the program has not changed them".
  public mutating func appendPointers(_ verdict: Verdict) {
    append("pointers: ")
    append(decimal: verdict.pointers.count)
    append(
      verdict.pointers.count == 1
        ? " initial value is another one, and follows if the program has not changed it"
        : " initial values are other ones, and follow where the program has not changed them")
  }

  /// "variables: 311 kept, 12 moved, 0 with own content, 3 new, 1 gone", where they were matched one by one.
  public mutating func appendVariables(_ verdict: Verdict) {
    append("variables: ")
    let kinds: [(VariablePair.Kind, StaticString)] = [
      (.kept, " kept, "), (.moved, " moved, "), (.content, " with own content, "), (.new, " new, "), (.gone, " gone"),
    ]
    for (kind, text) in kinds {
      var count: UInt64 = 0
      for pair in verdict.variables where pair.kind == kind { count += 1 }
      append(decimal: count)
      append(text)
    }
  }

  /// A name from a file: control characters would break lines or steer a terminal, and appear as "?".
  public mutating func append(name: Bytes) {
    for index in 0..<name.count {
      let byte = name[index]
      append(byte: byte < 0x20 || byte == 0x7f ? 0x3f : byte)
    }
  }
}
