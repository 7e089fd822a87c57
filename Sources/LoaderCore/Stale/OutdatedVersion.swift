/// A version of an object that is no longer current, and what is known about the use of its code.
final class OutdatedVersion {
  enum Phase: Equatable {
    /// Its text is there and nobody looks.
    case unwatched
    /// Its text was taken away; `present` lists the pages that came back.
    case away
    /// The same, and it counts as given up.
    case retired
    /// It can't be watched, or no longer.
    case unwatchable
  }

  let shared: SharedObject
  let version: LoadedObject
  /// 1 for the first version of the object.
  let number: Int
  /// Nanoseconds of CLOCK_MONOTONIC at which it became outdated, and the time of day.
  let outdatedAt: UInt64
  let outdatedTime = ClockTime.now()

  var phase = Phase.unwatched
  /// Why it is unwatchable.
  var obstacle: StaticString?
  var texts: [TextRange] = []
  /// Nothing is done as long as a debugger is there.
  var isTraced = false
  /// Instead of taking text away.
  var probes: UprobeSet?
  /// Pages that were put back since they were last taken away.
  var present: [UInt64] = []
  /// Pages that somebody has changed stay where they are.
  var hasChangedPages = false
  /// When text is taken away (again).
  var due: UInt64
  /// Distance between two times of taking away, while it is in use.
  var interval: UInt64
  /// Since when all its text has been away; nil: some of it is there.
  var awaySince: UInt64?
  var uses: UInt64 = 0
  /// Since it became outdated, or was given up.
  var wasUsed = false
  /// What was reported.
  var told: [UInt64] = []
  var lastUse: ClockTime?
  /// The last function that was used.
  var lastPlace: CodePlace?
  private var names: CodeNames?

  init(_ shared: SharedObject, _ version: LoadedObject, number: Int, at now: UInt64, due: UInt64, interval: UInt64) {
    self.shared = shared
    self.version = version
    self.number = number
    outdatedAt = now
    self.due = due
    self.interval = interval
  }

  /// Threads that were not seen without it since then; nil: nobody has looked.
  var unseenThreads: [Int32]?
  /// A thread whose stack leads back into it.
  var holder: Int32?
  /// Why it is not known whether a stack leads back into it.
  var waitsFor: StaticString?

  var isWatched: Bool { phase == .away || phase == .retired }

  /// Whether the address is one of its text that can be away.
  func watches(_ address: UInt64) -> Bool { isWatched && texts.contains { $0.range.contains(address) } }

  enum Finding {
    case unknown, inUse, quiet, retired

    var word: StaticString {
      switch self {
      case .unknown: "unknown"
      case .inUse: "in-use"
      case .quiet: "quiet"
      case .retired: "retired"
      }
    }
  }

  /// What is known about its use now.
  var finding: Finding {
    guard isWatched, obstacle == nil else { return uses > 0 ? .inUse : .unknown }
    if phase == .retired { return .retired }
    // What was seen in use stays so until it is given up.
    guard awaySince != nil, holder == nil, !wasUsed else { return .inUse }
    return .quiet
  }

  /// `now`: of CLOCK_MONOTONIC, not after the last look at the uses.
  func report(at now: UInt64) -> Text {
    var fields = JSONFields()
    fields.add("version", UInt64(number))
    fields.add("state", finding.word)
    fields.add("outdated_since", time: outdatedTime)
    if let obstacle { fields.add("obstacle", obstacle) }
    if let awaySince { fields.add("unused_ms", (max(now, awaySince) - awaySince) / 1_000_000) }
    if let holder { fields.add("thread", UInt64(holder)) }
    if let waitsFor { fields.add("waits_for", waitsFor) }
    fields.add("uses", uses)
    if let lastUse { fields.add("last_use", time: lastUse) }
    if let lastPlace {
      var text = Text()
      lastPlace.write(to: &text)
      fields.add("last_function", text)
    }
    return fields.object
  }

  func place(of address: UInt64) -> CodePlace {
    if names == nil { names = CodeNames(version) }
    return names?.place(of: address &- version.bias) ?? CodePlace(name: [], offset: 0, address: 0)
  }
}

/// An address of an object's code, as a user reads it.
struct CodePlace {
  /// The function's name; empty where none is known.
  let name: [UInt8]
  /// From the function's start, or, without one, the whole address.
  let offset: UInt64
  /// Of the function in its file; the address itself where no function is known.
  let address: UInt64

  /// `name+0x12`, or the place in the file.
  func write(to text: inout Text) {
    if name.isEmpty {
      text.append(hex: address)
    } else {
      name.withUnsafeBytes { text.append(printable: Bytes($0), limit: 200) }
    }
    if offset != 0 {
      text.append("+")
      text.append(hex: offset)
    }
  }
}

/// Names and bounds of an object's functions: symbols, else what unwind tables say.
struct CodeNames {
  private let symbols: SymbolIndex?
  private let unwind: UnwindTable?

  init(_ version: LoadedObject) {
    guard let content = version.fileContent, let file = try? ObjectFile(content) else {
      symbols = nil
      unwind = nil
      return
    }
    symbols = (try? file.sections()).flatMap { try? SymbolIndex(file, $0) }
    unwind = try? UnwindTable(file.image)
  }

  func place(of address: UInt64) -> CodePlace {
    if let found = symbols?.name(containing: address), found.isFunction {
      return CodePlace(name: found.name.copy(), offset: address &- found.start, address: found.start)
    }
    for entry in unwind?.entries ?? [] where entry.range.contains(address) {
      return CodePlace(name: [], offset: address &- entry.range.start, address: entry.range.start)
    }
    return CodePlace(name: [], offset: 0, address: address)
  }
}
