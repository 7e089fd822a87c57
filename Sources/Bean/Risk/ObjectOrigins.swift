/// Where the objects come from that functions take fields of: followed from function to function, through arguments
/// and results, in one version.
///
/// Pointers that were read from memory are not followed. What is found may therefore not be all there is, but for
/// objects of which every pointer is known (`isFrameOnly`).
final class ObjectOrigins {
  /// A constant that was passed to a call that returned such an object.
  struct Size: Equatable {
    let bytes: UInt64
    /// The function with that call.
    let maker: Int
  }

  struct Origins {
    var sizes: [Size] = []
    /// Some of these calls may have handed out parts of something larger.
    var hasPool = false
    var hasFrame = false
    /// Some pointer comes from where it can't be followed.
    var hasUnknown = false
    /// There was more to follow than is followed.
    var isCut = false
    /// Too many sizes.
    var isAnything = false
    /// Functions whose fields lie in objects of these sizes; in objects that were followed, and no size found; in
    /// objects that can't be followed at all.
    var functions = (known: 0, open: 0, unknown: 0)

    /// What comes from memory, or from others, hides some objects, but not most.
    var isKnown: Bool {
      !sizes.isEmpty && !isAnything && functions.known > functions.open + functions.unknown
    }

    /// They are all local variables of functions of this version, which only its own code gets the address of: none
    /// outlives a call, and none is used by code of two versions.
    var isFrameOnly: Bool { hasFrame && !hasUnknown && !isCut && !hasPool && sizes.isEmpty }
  }

  /// Where the instruction at `place` of a function takes a field.
  typealias Use = (function: Int, place: Int)

  let binary: Binary
  let graph: CallGraph
  private let allocations: AllocationCalls
  private var registers: ChangedRegisters
  /// By function; with those that can't be followed, nil.
  private var summaries: [FlowSummary?]
  private var isFollowed: [Bool]
  /// Instructions that may still be followed, each some 20 ns: bounds what a comparison takes.
  var budget = 200_000
  /// Larger numbers are no sizes of structures.
  static var maximumSize: Int64 { 1 << 24 }

  /// Functions that take fields which are asked for.
  private let users: Set<Int>
  private var flow = FlowAnalysis()

  init(_ binary: Binary, users: Set<Int>) {
    self.binary = binary
    self.users = users
    graph = CallGraph(binary)
    allocations = AllocationCalls(binary)
    registers = ChangedRegisters(binary)
    summaries = [FlowSummary?](repeating: nil, count: binary.code.functions.count)
    isFollowed = [Bool](repeating: false, count: binary.code.functions.count)
  }

  func summary(_ function: Int) -> FlowSummary? {
    if isFollowed[function] { return summaries[function] }
    if budget <= 0 { return nil }
    isFollowed[function] = true
    let code = binary.code.functions[function]
    guard flow.load(binary, code, entries: graph.entries(in: code.range), &budget) else { return nil }
    flow.noteChanges { registers.mask(ofCall: $0, &budget) }
    guard flow.run(&budget) else { return nil }
    let made = FlowSummary(flow, graph, takesFields: users.contains(function))
    summaries[function] = made
    return made
  }

  func allocator(_ call: FlowSummary.Call) -> AllocationCalls.Allocator? { allocations.allocator(call) }

  /// All of these are fields of local variables.
  func areLocal(_ uses: [Use]) -> Bool {
    var search = OriginSearch(self, above: 0, alsoForward: false)
    for use in uses {
      search.begin(use)
      if search.origins.hasUnknown { return false }
    }
    search.run()
    return search.origins.isFrameOnly
  }

  /// `above`: a field lies there, so that no smaller object counts. Others that the same objects are passed to tell as
  /// well where they come from. `uses` are sorted by function.
  func origins(of uses: [Use], above: UInt64) -> Origins {
    var search = OriginSearch(self, above: above, alsoForward: true)
    var last = -1
    for use in uses {
      if use.function != last { search.beginFunction() }
      last = use.function
      search.begin(use)
      search.run()
    }
    search.countFunctions()
    return search.origins
  }
}
