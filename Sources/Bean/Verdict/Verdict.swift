/// A function of the old version and its counterpart, by their first addresses.
public struct FunctionPair: Equatable {
  public let old: UInt64
  public let new: UInt64
  /// The same code but for position-dependent fields; else it changed.
  public let isEqual: Bool
}

/// Whether a new version can take over the state of an old one, and everything that binding needs for it.
///
/// Names in it are those of the files' bytes, and valid as long as these.
public struct Verdict {
  public struct Counters: Equatable {
    /// Functions of the new version, and how they relate to the old one's.
    public var functions = 0
    public var equal = 0
    public var changed = 0
    public var added = 0
    public var removed = 0
    /// References to state that decoding found.
    public var references = 0
    /// Places that the independent look found, and those of them that are known to be references or something else.
    public var candidates = 0
    public var explained = 0
  }

  /// No reason stands against it: the new version can be bound to the old one's state.
  public var accepted: Bool { reasonCount == 0 }
  /// The first reasons, at most `Comparison.maximumReasons`; `reasonCount` tells how many there are.
  public internal(set) var reasons: [Refusal] = []
  public internal(set) var reasonCount = 0
  /// One bit for each kind of reason.
  var reasonKinds: UInt32 = 0
  /// Where each state section of the new version has its home.
  public internal(set) var mapping: StateMapping = .empty
  /// What became of each variable, where sections as a whole could not be shared; else empty.
  public internal(set) var variables: [VariablePair] = []
  /// Words of state that get the new version's initial value where the program has not changed them; the loader
  /// looks whether it has.
  public internal(set) var pointers: [InitialPointer] = []
  /// The old version has no state: the new one's own is used, nothing is bound.
  public internal(set) var newOwnsState = false
  /// State stands in the way, and both versions have the hooks that take it over: the new version's own is used, and
  /// its constructors run (docs/updates.md, "Hooks").
  public internal(set) var hooksTakeState = false
  /// Every reference of the new version's code to state, by address.
  public internal(set) var patches: [Patch] = []
  /// Matched functions, by address in the old version.
  public internal(set) var functionMap: [FunctionPair] = []
  /// Words of the new version's own state that its unwind tables read: these pages must stay readable, relocated.
  public internal(set) var unwindWords: [UInt64] = []
  /// Exports in use that the new version lacks; each is a reason as well.
  public internal(set) var missingExports: [MissingExport] = []
  /// Resolvers of indirect functions must run, and program code runs on program threads only.
  public internal(set) var needsProgramThread = false
  public internal(set) var counters = Counters()
  /// Hints that structures on the heap have another layout, which no file can show for certain: no reasons. At most
  /// `LayoutRisk.maximumFindings`; `riskCount` tells how many there are.
  public internal(set) var risks: [LayoutRiskFinding] = []
  public internal(set) var riskCount = 0
  /// Functions that use fields at other displacements, in all findings together.
  public internal(set) var shiftedFunctions = 0
  public internal(set) var changedAllocations = 0
  /// Sizes of the objects that may have another layout, as the old version asks for them, in bytes: each once.
  public internal(set) var objectSizes: [UInt64] = []
  /// All findings are about objects of these sizes, each an allocation of its own.
  public internal(set) var isRiskOfSizes = false
  /// Exports of the old version, one of which has to be called for such an object to be made. nil: that can't be told,
  /// since it is not known who makes them, or a word of data leads there.
  public internal(set) var makers: [(name: Bytes, version: Bytes)]?
  /// Addresses, in the old version, of the exports that make them in the fewest calls: no proof, but who calls one most
  /// likely gets a new object.
  public internal(set) var nearestMakers: [UInt64] = []

  public init() {}

  /// One reason stands in the way of any comparison.
  mutating func refuse(for obstacle: Refusal) {
    reasons = [obstacle]
    reasonCount = 1
    reasonKinds = Refusal.set(of: [obstacle.kind])
  }

  /// Would binding be complete but for the proof? Then aliasing by pages may serve.
  public var isUnprovedOnly: Bool {
    reasonCount != 0 && reasonCount == reasons.count
      && !reasons.contains { $0.kind != .bindingUnproved && $0.kind != .largeModel }
  }

  /// Is initial content of state all that stands against it? The state itself is kept, so who knows that the
  /// difference does not matter may go on (LD_FORCE_UPDATE).
  public var isContentOnly: Bool {
    reasonCount != 0 && reasonCount == reasons.count && !reasons.contains { $0.kind != .stateContent }
  }

  /// The counterpart of the function that starts at `address` of the old version.
  public func newFunction(for address: UInt64) -> FunctionPair? {
    var low = 0
    var high = functionMap.count
    while low < high {
      let middle = (low + high) / 2
      if functionMap[middle].old < address { low = middle + 1 } else { high = middle }
    }
    guard low < functionMap.count, functionMap[low].old == address else { return nil }
    return functionMap[low]
  }
}
