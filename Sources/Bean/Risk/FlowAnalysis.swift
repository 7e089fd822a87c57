/// The states of a function's instructions, found by going through it until nothing changes any more: registers and
/// words of the frame are followed through all branches; where paths meet, what differs is not known.
struct FlowAnalysis {
  let range: AddressRange
  private(set) var steps: [FlowStep] = []
  /// The steps where paths meet, sorted, and for each step its number among them, or -1.
  private var leaders: [Int] = []
  private var leaderOfStep: [Int32] = []
  private var states: [FlowState] = []
  private var isReached: [Bool] = []
  private var isDue: [Bool] = []
  /// Where jumps through a register may lead to.
  private var tableTargets: [(table: Int64, step: Int32)] = []
  /// Registers that a call changes, by its place; all that it may, where it is not here.
  private var changes: [(place: Int32, mask: UInt16)] = []
  private let enteredAnyhow: [Int]

  private static var maximumSize: UInt64 { 1 << 16 }
  private static var maximumTargets: Int { 1 << 12 }

  /// `entries`: addresses in the midst of the function that others lead to. nil where it can't be followed: too large, no
  /// code, or jumps to where nobody knows. `budget` counts instructions.
  init?(_ binary: Binary, _ function: CodeTable.Function, entries: ArraySlice<UInt64>, _ budget: inout Int) {
    guard function.isDecoded, function.range.count <= FlowAnalysis.maximumSize, function.range.count < budget,
      let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count)
    else { return nil }
    range = function.range
    steps.reserveCapacity(bytes.count / 4)
    var offset = 0
    while offset < bytes.count {
      guard let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.length != 0 else {
        return nil
      }
      steps.append(FlowStep(RiskEncoding(instruction: instruction, bytes: bytes, start: offset)))
      offset &+= Int(instruction.length)
    }
    if steps.isEmpty { return nil }
    budget -= steps.count
    var meeting = [Bool](repeating: false, count: steps.count)
    var entered: [Int] = []
    for entry in entries {
      guard let index = FlowAnalysis.step(steps, at: entry &- function.range.start) else { return nil }
      entered.append(index)
      meeting[index] = true
    }
    enteredAnyhow = entered
    guard findTargets(&meeting), readTables(binary, function, &meeting, &budget) else { return nil }
    number(meeting)
  }

  private static func step(_ steps: [FlowStep], at offset: UInt64) -> Int? {
    var low = 0
    var high = steps.count
    while low < high {
      let middle = (low + high) / 2
      if UInt64(steps[middle].place) < offset { low = middle + 1 } else { high = middle }
    }
    return low < steps.count && UInt64(steps[low].place) == offset ? low : nil
  }

  func target(_ step: FlowStep) -> UInt64 {
    range.start &+ UInt64(step.end) &+ UInt64(bitPattern: step.immediate)
  }

  /// False: a jump leads into the midst of an instruction.
  private mutating func findTargets(_ meeting: inout [Bool]) -> Bool {
    meeting[0] = true
    for index in steps.indices {
      let flow = steps[index].flow
      if flow == .next { continue }
      if steps[index].isRelative, flow != .call {
        let target = target(steps[index])
        if range.contains(target) {
          guard let inside = FlowAnalysis.step(steps, at: target &- range.start) else { return false }
          meeting[inside] = true
          steps[index].target = Int32(truncatingIfNeeded: inside)
        }
      }
      if flow == .jump || flow == .indirectJump || flow == .return || flow == .stop {
        // Padding leads nowhere.
        var next = index &+ 1
        while next < steps.count, steps[next].isNop { next &+= 1 }
        if next < steps.count { meeting[next] = true }
      }
    }
    return true
  }

  /// Tables of distances to places in the function that it takes the address of, as compilers make them of `switch`.
  private mutating func readTables(
    _ binary: Binary, _ function: CodeTable.Function, _ meeting: inout [Bool], _ budget: inout Int
  ) -> Bool {
    guard steps.contains(where: { $0.flow == .indirectJump && $0.jumpRegister != nil }) else { return true }
    for reference in binary.code.references[function.first..<function.end] where reference.kind == .address {
      guard binary.regions.region(containing: reference.target)?.kind == .readOnly else { continue }
      let table = Int64(bitPattern: reference.target &- range.start)
      if tableTargets.contains(where: { $0.table == table }) { continue }
      var place = reference.target
      while let distance = binary.file.image.load(Int32.self, at: place),
        let index = FlowAnalysis.step(steps, at: UInt64(bitPattern: table &+ Int64(distance)))
      {
        if tableTargets.count >= FlowAnalysis.maximumTargets { return false }
        tableTargets.append((table, Int32(truncatingIfNeeded: index)))
        meeting[index] = true
        place &+= 4
      }
    }
    budget -= tableTargets.count
    return true
  }

  private mutating func number(_ meeting: [Bool]) {
    leaderOfStep = [Int32](repeating: -1, count: steps.count)
    for index in meeting.indices where meeting[index] {
      leaderOfStep[index] = Int32(truncatingIfNeeded: leaders.count)
      leaders.append(index)
    }
    states = [FlowState](repeating: FlowState(), count: leaders.count)
    isReached = [Bool](repeating: false, count: leaders.count)
    isDue = [Bool](repeating: false, count: leaders.count)
  }

  mutating func noteChanges(_ changed: (UInt64) -> UInt16) {
    for step in steps where step.flow == .call {
      let mask = changed(target(step))
      if mask & FlowState.volatile != FlowState.volatile { changes.append((step.place, mask)) }
    }
  }

  private func changes(at place: Int32) -> UInt16 {
    var low = 0
    var high = changes.count
    while low < high {
      let middle = (low + high) / 2
      if changes[middle].place < place { low = middle + 1 } else { high = middle }
    }
    return low < changes.count && changes[low].place == place ? changes[low].mask : FlowState.volatile
  }

  // MARK: Going through

  /// False: it takes too long.
  mutating func run(_ budget: inout Int) -> Bool {
    meet(.entry, 0)
    for index in enteredAnyhow { meet(FlowState(), index) }
    // Most functions are gone through twice.
    var own = min(budget, 32 &* steps.count &+ 1024)
    let before = own
    defer { budget -= before &- own }
    var unvisited = 0
    while true {
      var hasChanged = true
      while hasChanged {
        hasChanged = false
        for leader in leaders.indices where isDue[leader] {
          isDue[leader] = false
          hasChanged = true
          guard pass(leader, &own) else { return false }
        }
      }
      // What nobody leads to as far as can be seen, landing pads among it, is entered with anything.
      while unvisited < states.count, isReached[unvisited] { unvisited &+= 1 }
      if unvisited == states.count { return true }
      meet(FlowState(), leaders[unvisited])
    }
  }

  private mutating func meet(_ state: borrowing FlowState, _ step: Int) {
    let leader = Int(leaderOfStep[step])
    if isReached[leader] {
      if states[leader].meet(state) { isDue[leader] = true }
    } else {
      states[leader] = copy state
      (isReached[leader], isDue[leader]) = (true, true)
    }
  }

  private mutating func pass(_ leader: Int, _ budget: inout Int) -> Bool {
    var state = states[leader]
    var index = leaders[leader]
    repeat {
      budget &-= 1
      if budget < 0 { return false }
      let step = steps[index]
      if step.target >= 0 { meet(state, Int(step.target)) }
      if step.flow == .indirectJump, step.slot == nil {
        let place = step.jumpRegister.map { state.registers[$0] } ?? .unknown
        budget &-= tableTargets.count
        for target in tableTargets where place.kind != .destination || place.number == target.table {
          meet(state, Int(target.step))
        }
      }
      guard advance(step, &state) else { return true }
      index &+= 1
    } while index < steps.count && leaderOfStep[index] < 0
    if index < steps.count { meet(state, index) }
    return true
  }

  /// Past one instruction; false: it does not go on behind it.
  private func advance(_ step: FlowStep, _ state: inout FlowState) -> Bool {
    switch step.flow {
    case .next: step.apply(to: &state)
    case .call: state.call(at: Int64(step.place), changed: changes(at: step.place))
    case .indirectCall: state.call(at: Int64(step.place), changed: FlowState.volatile)
    case .conditionalJump: if step.counts { state.forget(1 << 1) }
    default: return false
    }
    return true
  }

  /// Every instruction with the state before it.
  func visit(_ body: (FlowStep, borrowing FlowState) -> Void) {
    for (leader, start) in leaders.enumerated() {
      var state = states[leader]
      var index = start
      repeat {
        body(steps[index], state)
        guard advance(steps[index], &state) else { break }
        index &+= 1
      } while index < steps.count && leaderOfStep[index] < 0
    }
  }
}
