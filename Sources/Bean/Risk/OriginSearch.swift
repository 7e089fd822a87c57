/// Follows pointers breadth first: what is near tells most.
struct OriginSearch {
  private struct Node: Hashable {
    let function: Int32
    /// Of an argument; -1: what it returns.
    let number: Int32
  }

  private let owner: ObjectOrigins
  private let above: UInt64
  private let alsoForward: Bool
  var origins = ObjectOrigins.Origins()
  /// With the number of the first function that led there: what hangs together is about objects of one kind.
  private var seen: [Node: Int] = [:]
  private var pending: [Node] = []
  private var next = 0
  /// For each function: it, or one before it that it hangs together with; whether its fields could be followed; whether
  /// a size was found.
  private var leads: [(first: Int, isFollowed: Bool, hasSize: Bool)] = []
  private static var maximumNodes: Int { 4096 }
  private static var maximumSizes: Int { 32 }
  /// What is called from more places gets objects of all kinds: free and log functions.
  private static var maximumCallers: Int { 32 }

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

  mutating func beginFunction() { leads.append((leads.count, false, false)) }

  private func first(_ function: Int) -> Int {
    var function = function
    while leads[function].first != function { function = leads[function].first }
    return function
  }

  /// What was found now hangs together with what was found for the function of that number.
  private mutating func join(_ other: Int) {
    guard !leads.isEmpty else { return }
    let (a, b) = (first(other), first(leads.count - 1))
    if a == b { return }
    leads[max(a, b)].first = min(a, b)
    if leads[max(a, b)].hasSize { leads[min(a, b)].hasSize = true }
  }

  mutating func countFunctions() {
    for index in leads.indices {
      if leads[first(index)].hasSize {
        origins.functions.known += 1
      } else if leads[index].isFollowed {
        origins.functions.open += 1
      } else {
        origins.functions.unknown += 1
      }
    }
  }

  mutating func run() {
    // What is not all known is no local variable.
    while next < pending.count, alsoForward || !origins.hasUnknown, !origins.isAnything {
      let node = pending[next]
      next += 1
      if node.number < 0 { result(node) } else { argument(node) }
    }
  }

  private mutating func add(_ function: Int, _ number: Int) {
    let node = Node(function: Int32(truncatingIfNeeded: function), number: Int32(truncatingIfNeeded: number))
    if !leads.isEmpty { leads[leads.count - 1].isFollowed = true }
    if let known = seen[node] { return join(known) }
    guard seen.count < OriginSearch.maximumNodes, owner.budget > 0 else {
      origins.isCut = true
      return
    }
    seen[node] = max(0, leads.count - 1)
    pending.append(node)
  }

  /// One place that such a pointer comes from.
  private mutating func visit(_ value: FlowValue, in function: Int) {
    switch value.kind {
    case .unknown, .address, .distance, .destination:
      origins.hasUnknown = true
    case .constant: if value.number != 0 { origins.hasUnknown = true }
    case .frame:
      origins.hasFrame = true
      if !leads.isEmpty { leads[leads.count - 1].isFollowed = true }
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
    let allocator = owner.allocator(call)
    let sizes = sizes(call, allocator)
    // What another object's function makes of such a number, nobody knows.
    let isForeign = call.callee < 0 && allocator?.sizes.isEmpty == true
    if isForeign, constants(call).contains(where: { $0.argument < 2 }) { origins.hasPool = true }
    if !sizes.isEmpty {
      if allocator?.isPool == true { origins.hasPool = true }
    } else if call.callee >= 0 {
      return add(Int(call.callee), -1)
    } else {
      origins.hasUnknown = true
      return
    }
    for bytes in sizes {
      let size = ObjectOrigins.Size(bytes: bytes, maker: function)
      if !origins.sizes.contains(size) { origins.sizes.append(size) }
    }
    if !leads.isEmpty { leads[first(leads.count - 1)].hasSize = true }
    // Who gets objects of so many kinds is a function for anything.
    if origins.sizes.count > OriginSearch.maximumSizes { origins.isAnything = true }
  }

  /// Constants that are passed to an allocator, to one through a pointer, or to a function of this version that passes
  /// them on to one; those that can be the size of an object with that field.
  private func sizes(_ call: FlowSummary.Call, _ allocator: AllocationCalls.Allocator?) -> [UInt64] {
    if call.callee >= 0, allocator?.sizes.isEmpty != false {
      return constants(call).filter { isPassedOn(Int(call.callee), $0.argument, 0) }.map { $0.size }
    }
    let arguments = allocator?.sizes ?? [0, 1]
    return constants(call).filter { arguments.contains($0.argument) }.map { $0.size }
  }

  private func constants(_ call: FlowSummary.Call) -> [(argument: Int, size: UInt64)] {
    var found: [(argument: Int, size: UInt64)] = []
    for index in 0..<3 where call.arguments[index].kind == .constant {
      let size = call.arguments[index].number
      guard size > 0, UInt64(size) > above, size % 4 == 0, size < ObjectOrigins.maximumSize else { continue }
      found.append((index, UInt64(size)))
    }
    return found
  }

  private static var maximumDepth: Int { 4 }

  /// A function returns what an allocator does that gets its argument as a size.
  private func isPassedOn(_ function: Int, _ argument: Int, _ depth: Int) -> Bool {
    guard depth < OriginSearch.maximumDepth, let summary = owner.summary(function) else { return false }
    let parameter = FlowValue(.parameter, Int64(argument))
    for value in summary.returned where value.kind == .result {
      guard let call = summary.call(at: value.number) else { continue }
      let allocator = owner.allocator(call)
      let isOwn = call.callee >= 0 && allocator?.sizes.isEmpty != false
      for index in isOwn ? [0, 1, 2] : allocator?.sizes ?? [0, 1] where call.arguments[index] == parameter {
        if !isOwn || isPassedOn(Int(call.callee), index, depth + 1) { return true }
      }
    }
    return false
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
    summary.forEachTaker(of: value) { (callee, number) in
      if owner.graph.callers(of: callee).count <= OriginSearch.maximumCallers { add(callee, number) }
    }
  }
}
