/// Where the objects come from that functions take fields of: followed from function to function, through arguments
/// and results, in one version.
///
/// Pointers that were read from memory are not followed. What is found may therefore not be all there is, but for
/// objects of which every pointer is known (`Origins.isFrameOnly`).
final class ObjectOrigins {
  struct Origins {
    /// Constants that were passed to calls that returned such an object: its size is among them.
    fileprivate(set) var sizes: [UInt64] = []
    /// Some of these calls may have handed out parts of something larger.
    fileprivate(set) var hasPool = false
    fileprivate(set) var hasFrame = false
    /// Some pointer comes from where it can't be followed.
    fileprivate(set) var hasUnknown = false

    /// They are all local variables of functions of this version, which only its own code gets the address of: none
    /// outlives a call, and none is used by code of two versions.
    var isFrameOnly: Bool { hasFrame && !hasUnknown && sizes.isEmpty }
  }

  private struct Node: Hashable {
    let function: Int
    /// Of an argument; -1: what it returns.
    let number: Int
  }

  let binary: Binary
  let graph: CallGraph
  private let allocations: AllocationCalls
  private var summaries: [Int: FlowSummary] = [:]
  private var failed: Set<Int> = []
  /// Bytes of code that may still be followed.
  private var budget: UInt64 = 8 << 20
  private static var maximumNodes: Int { 4096 }
  /// Arguments and results that may still be looked at, in all searches together.
  private var nodeBudget = 1 << 16

  init(_ binary: Binary) {
    self.binary = binary
    graph = CallGraph(binary)
    allocations = AllocationCalls(binary)
  }

  private var changes: [Int: UInt16] = [:]
  /// Calls in calls that are followed to see which registers change.
  private static var maximumDepth: Int { 12 }

  /// Registers that a call of `address` changes: compilers rely on it that functions which they know do not change all
  /// that they may (GCC's -fipa-ra).
  private func changed(by address: UInt64, _ depth: Int) -> UInt16 {
    guard depth < ObjectOrigins.maximumDepth, let index = binary.code.index(startingAt: address),
      !binary.code.functions[index].isLinkage
    else { return .max }
    if let known = changes[index] { return known }
    // Until it is known: it may call itself.
    changes[index] = .max
    let function = binary.code.functions[index]
    guard budget > function.range.count, function.isDecoded,
      let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count)
    else { return .max }
    budget -= function.range.count
    var mask: UInt16 = 0
    var offset = 0
    while offset < bytes.count, mask & FlowState.volatile != FlowState.volatile {
      guard let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.length != 0 else {
        return .max
      }
      let step = RiskEncoding(instruction: instruction, bytes: bytes, start: offset)
      switch instruction.flow {
      case .next: mask |= FlowStep(step).changes
      case .call, .jump, .conditionalJump:
        let target = function.range.start &+ UInt64(offset) &+ UInt64(instruction.length)
        let address = target &+ UInt64(bitPattern: step.immediate)
        if instruction.flow == .call || !function.range.contains(address) {
          mask |= changed(by: address, depth + 1)
        }
      case .indirectCall, .indirectJump: mask = .max
      default: break
      }
      offset &+= Int(instruction.length)
    }
    changes[index] = mask
    return mask
  }

  private func summary(_ function: Int) -> FlowSummary? {
    if let known = summaries[function] { return known }
    if failed.contains(function) { return nil }
    let size = binary.code.functions[function].range.count
    guard budget > size,
      let made = FlowSummary(
        binary, binary.code.functions[function], entries: entries(function), changed: { changed(by: $0, 0) })
    else {
      failed.insert(function)
      return nil
    }
    budget -= size
    summaries[function] = made
    return made
  }

  private func entries(_ function: Int) -> ArraySlice<UInt64> {
    let range = binary.code.functions[function].range
    var (low, high) = (0, graph.entries.count)
    while low < high {
      let middle = (low + high) / 2
      if graph.entries[middle] < range.start { low = middle + 1 } else { high = middle }
    }
    var end = low
    while end < graph.entries.count, graph.entries[end] < range.end { end += 1 }
    return graph.entries[low..<end]
  }

  /// Of the objects that the instructions at these offsets of functions take a field of. `above`: a field lies there,
  /// so that no smaller object counts. `alsoForward`: others that the same objects are passed to tell as well where
  /// they come from.
  func origins(of uses: [(function: Int, place: Int)], above: UInt64, alsoForward: Bool) -> Origins {
    var search = Search(owner: self, above: above, alsoForward: alsoForward)
    for use in uses {
      guard let summary = summary(use.function) else {
        search.origins.hasUnknown = true
        continue
      }
      search.visit(summary.base(at: use.place), in: use.function)
    }
    search.run()
    return search.origins
  }

  private struct Search {
    let owner: ObjectOrigins
    let above: UInt64
    let alsoForward: Bool
    var origins = Origins()
    private var seen: Set<Node> = []
    private var pending: [Node] = []

    init(owner: ObjectOrigins, above: UInt64, alsoForward: Bool) {
      (self.owner, self.above, self.alsoForward) = (owner, above, alsoForward)
    }

    private mutating func add(_ node: Node) {
      guard seen.count < ObjectOrigins.maximumNodes, owner.nodeBudget > 0 else {
        origins.hasUnknown = true
        return
      }
      guard seen.insert(node).inserted else { return }
      pending.append(node)
      owner.nodeBudget -= 1
    }

    mutating func run() {
      // What is not all known is no local variable.
      while alsoForward || !origins.hasUnknown, let node = pending.popLast() {
        if node.number < 0 { result(node) } else { argument(node) }
      }
    }

    /// One place that such a pointer comes from.
    mutating func visit(_ value: FlowValue, in function: Int) {
      switch value.kind {
      case .unknown: origins.hasUnknown = true
      case .constant: if value.number != 0 { origins.hasUnknown = true }
      case .address, .distance, .destination: origins.hasUnknown = true
      case .frame: origins.hasFrame = true
      case .parameter: add(Node(function: function, number: Int(value.number)))
      case .result: call(at: Int(value.number), in: function)
      }
      if alsoForward { forward(value, in: function) }
    }

    private mutating func call(at place: Int, in function: Int) {
      guard let call = owner.summary(function)?.calls.first(where: { $0.place == place }) else {
        origins.hasUnknown = true
        return
      }
      let sizes = sizes(call)
      if sizes.isEmpty, let callee = owner.graph.callee(call) { return add(Node(function: callee, number: -1)) }
      if sizes.isEmpty { origins.hasUnknown = true }
      if !sizes.isEmpty, owner.allocations.isPool(call) { origins.hasPool = true }
      for size in sizes where !origins.sizes.contains(size) { origins.sizes.append(size) }
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
      guard let summary = owner.summary(node.function) else {
        origins.hasUnknown = true
        return
      }
      for value in summary.returned { visit(value, in: node.function) }
    }

    private mutating func argument(_ node: Node) {
      let parameter = FlowValue(kind: .parameter, number: Int64(node.number))
      if alsoForward { forward(parameter, in: node.function) }
      let callers = owner.graph.callers(of: node.function)
      if callers.isEmpty || !owner.graph.isPrivate(node.function) { origins.hasUnknown = true }
      for caller in callers {
        guard let summary = owner.summary(caller) else {
          origins.hasUnknown = true
          continue
        }
        for call in summary.calls where owner.graph.callee(call) == node.function {
          visit(call.arguments[node.number], in: caller)
        }
      }
    }

    /// What else gets this pointer.
    private mutating func forward(_ value: FlowValue, in function: Int) {
      guard value.kind == .parameter || value.kind == .result, let summary = owner.summary(function) else { return }
      for call in summary.calls {
        for index in 0..<6 where call.arguments[index] == value {
          if let callee = owner.graph.callee(call) { add(Node(function: callee, number: index)) }
        }
      }
    }
  }

  /// Larger numbers are no sizes of structures.
  private static var maximumSize: Int64 { 1 << 24 }
}
