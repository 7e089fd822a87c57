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
    fileprivate(set) var sizes: [Size] = []
    /// Some of these calls may have handed out parts of something larger.
    fileprivate(set) var hasPool = false
    fileprivate(set) var hasFrame = false
    /// Some pointer comes from where it can't be followed.
    fileprivate(set) var hasUnknown = false
    /// There was more to follow than is followed.
    fileprivate(set) var isCut = false

    /// They are all local variables of functions of this version, which only its own code gets the address of: none
    /// outlives a call, and none is used by code of two versions.
    var isFrameOnly: Bool { hasFrame && !hasUnknown && !isCut && sizes.isEmpty }
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
  fileprivate var budget = 600_000
  /// Larger numbers are no sizes of structures.
  fileprivate static var maximumSize: Int64 { 1 << 24 }

  init(_ binary: Binary) {
    self.binary = binary
    graph = CallGraph(binary)
    allocations = AllocationCalls(binary)
    registers = ChangedRegisters(binary)
    summaries = [FlowSummary?](repeating: nil, count: binary.code.functions.count)
    isFollowed = [Bool](repeating: false, count: binary.code.functions.count)
  }

  fileprivate func summary(_ function: Int) -> FlowSummary? {
    if isFollowed[function] { return summaries[function] }
    if budget <= 0 { return nil }
    isFollowed[function] = true
    let made = FlowSummary(
      binary, binary.code.functions[function], graph, &budget, changed: { registers.mask(ofCall: $0, &$1) })
    summaries[function] = made
    return made
  }

  fileprivate func isPool(_ call: FlowSummary.Call) -> Bool { allocations.isPool(call) }

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
  /// well where they come from.
  func origins(of uses: [Use], above: UInt64) -> Origins {
    var search = OriginSearch(self, above: above, alsoForward: true)
    for use in uses { search.begin(use) }
    search.run()
    return search.origins
  }
}

/// Follows pointers breadth first: what is near tells most.
private struct OriginSearch {
  private struct Node: Hashable {
    let function: Int32
    /// Of an argument; -1: what it returns.
    let number: Int32
  }

  private let owner: ObjectOrigins
  private let above: UInt64
  private let alsoForward: Bool
  var origins = ObjectOrigins.Origins()
  private var seen: Set<Node> = []
  private var pending: [Node] = []
  private static var maximumNodes: Int { 4096 }
  private static var maximumSizes: Int { 32 }

  init(_ owner: ObjectOrigins, above: UInt64, alsoForward: Bool) {
    (self.owner, self.above, self.alsoForward) = (owner, above, alsoForward)
  }

  mutating func begin(_ use: ObjectOrigins.Use) {
    guard let summary = owner.summary(use.function) else {
      origins.hasUnknown = true
      return
    }
    visit(summary.base(at: use.place), in: use.function)
  }

  mutating func run() {
    var next = 0
    // What is not all known is no local variable.
    while next < pending.count, alsoForward || !origins.hasUnknown, !origins.isCut {
      let node = pending[next]
      next += 1
      if node.number < 0 { result(node) } else { argument(node) }
    }
  }

  private mutating func add(_ function: Int, _ number: Int) {
    let node = Node(function: Int32(truncatingIfNeeded: function), number: Int32(truncatingIfNeeded: number))
    if seen.contains(node) { return }
    guard seen.count < OriginSearch.maximumNodes, owner.budget > 0 else {
      origins.isCut = true
      return
    }
    seen.insert(node)
    pending.append(node)
  }

  /// One place that such a pointer comes from.
  private mutating func visit(_ value: FlowValue, in function: Int) {
    switch value.kind {
    case .unknown, .address, .distance, .destination: origins.hasUnknown = true
    case .constant: if value.number != 0 { origins.hasUnknown = true }
    case .frame: origins.hasFrame = true
    case .parameter: add(function, Int(value.number))
    case .result: call(at: value.number, in: function)
    }
    if alsoForward, value.kind == .result { forward(value, in: function) }
  }

  private mutating func call(at place: Int64, in function: Int) {
    guard let call = owner.summary(function)?.call(at: place) else {
      origins.hasUnknown = true
      return
    }
    let sizes = sizes(call)
    // A number that is passed to a function of this version may be no size.
    if call.callee >= 0 {
      add(Int(call.callee), -1)
    } else if sizes.isEmpty {
      origins.hasUnknown = true
    }
    if sizes.isEmpty { return }
    if owner.isPool(call) { origins.hasPool = true }
    for bytes in sizes {
      let size = ObjectOrigins.Size(bytes: bytes, maker: function)
      if !origins.sizes.contains(size) { origins.sizes.append(size) }
    }
    // Who gets objects of so many kinds is a function for anything.
    if origins.sizes.count > OriginSearch.maximumSizes { origins.isCut = true }
  }

  /// Numbers among a call's first two arguments that may be the size of an object with that field.
  private func sizes(_ call: FlowSummary.Call) -> [UInt64] {
    var found: [UInt64] = []
    for index in 0..<2 where call.arguments[index].kind == .constant {
      let size = call.arguments[index].number
      if size > 0, UInt64(size) > above, size % 4 == 0, size < ObjectOrigins.maximumSize {
        found.append(UInt64(size))
      }
    }
    return found
  }

  private mutating func result(_ node: Node) {
    guard let summary = owner.summary(Int(node.function)) else {
      origins.hasUnknown = true
      return
    }
    for value in summary.returned { visit(value, in: Int(node.function)) }
  }

  private mutating func argument(_ node: Node) {
    let function = Int(node.function)
    if alsoForward { forward(FlowValue(.parameter, Int64(node.number)), in: function) }
    let callers = owner.graph.callers(of: function)
    if callers.isEmpty || !owner.graph.isPrivate(function) { origins.hasUnknown = true }
    var last: Int32 = -1
    for caller in callers where caller != last {
      last = caller
      if !alsoForward, origins.hasUnknown { return }
      guard let summary = owner.summary(Int(caller)) else {
        origins.hasUnknown = true
        continue
      }
      var last: FlowValue?
      summary.forEachArgument(Int(node.number), ofCallsOf: function) { (value) in
        if value != last { visit(value, in: Int(caller)) }
        last = value
      }
    }
  }

  /// What else gets this pointer.
  private mutating func forward(_ value: FlowValue, in function: Int) {
    guard owner.graph.callsOwn(function), let summary = owner.summary(function) else { return }
    summary.forEachTaker(of: value) { add($0, $1) }
  }
}
