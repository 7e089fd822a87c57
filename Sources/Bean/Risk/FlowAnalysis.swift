/// The states of a function's instructions, found by going through it until nothing changes any more: registers and
/// words of the frame are followed through all branches; where paths meet, what differs is not known.
///
/// One serves for many functions, one after the other: what it has allocated stays.
struct FlowAnalysis {
  /// Steps from a place where paths meet up to the next one.
  private struct Block {
    let first: Int
    /// It calls, or control leaves the function there.
    let isNoted: Bool
    var isReached = false
    var isDue = false
  }

  private(set) var range = AddressRange(start: 0, end: 0)
  private var steps: [FlowStep] = []
  private var isMeeting: [Bool] = []
  private var blocks: [Block] = []
  /// For each step the block that begins there, or -1.
  private var blockOfStep: [Int32] = []
  /// Before each block.
  private var states: [FlowState] = []
  /// Where jumps through a register may lead to.
  private var tableTargets: [(table: Int64, step: Int32)] = []
  /// Registers that a call changes, by its place; all that it may, where it is not here.
  private var changes: [(place: Int32, mask: UInt16)] = []
  private var enteredAnyhow: [Int] = []

  private static var maximumSize: UInt64 { 1 << 16 }
  private static var maximumTargets: Int { 1 << 12 }

  /// `entries`: addresses in the midst of the function that others lead to. False where it can't be followed: too large,
  /// no code, or jumps to where nobody knows. `budget` counts instructions.
  mutating func load(
    _ binary: Binary, _ function: CodeTable.Function, entries: ArraySlice<UInt64>, _ budget: inout Int
  ) -> Bool {
    guard function.isDecoded, function.range.count <= FlowAnalysis.maximumSize, function.range.count < budget,
      let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count)
    else { return false }
    clear(function.range)
    var offset = 0
    while offset < bytes.count {
      guard let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.length != 0 else {
        return false
      }
      steps.append(FlowStep(RiskEncoding(instruction: instruction, bytes: bytes, start: offset)))
      isMeeting.append(false)
      offset &+= Int(instruction.length)
    }
    if steps.isEmpty { return false }
    budget -= steps.count
    for entry in entries {
      guard let index = FlowAnalysis.step(steps, at: entry &- function.range.start) else { return false }
      enteredAnyhow.append(index)
      isMeeting[index] = true
    }
    guard findTargets(), readTables(binary, function, &budget) else { return false }
    divide()
    return true
  }

  private mutating func clear(_ range: AddressRange) {
    self.range = range
    steps.removeAll(keepingCapacity: true)
    isMeeting.removeAll(keepingCapacity: true)
    blocks.removeAll(keepingCapacity: true)
    blockOfStep.removeAll(keepingCapacity: true)
    states.removeAll(keepingCapacity: true)
    tableTargets.removeAll(keepingCapacity: true)
    changes.removeAll(keepingCapacity: true)
    enteredAnyhow.removeAll(keepingCapacity: true)
  }

  private static func step(_ steps: [FlowStep], at offset: UInt64) -> Int? {
    let low = steps.lowerBound { UInt64($0.place) < offset }
    return low < steps.count && UInt64(steps[low].place) == offset ? low : nil
  }

  func target(_ step: FlowStep) -> UInt64 {
    range.start &+ UInt64(step.end) &+ UInt64(bitPattern: step.immediate)
  }

  /// False: a jump leads into the midst of an instruction.
  private mutating func findTargets() -> Bool {
    isMeeting[0] = true
    for index in steps.indices {
      let flow = steps[index].flow
      if flow == .next { continue }
      if steps[index].isRelative, flow != .call {
        let target = target(steps[index])
        if range.contains(target) {
          guard let inside = FlowAnalysis.step(steps, at: target &- range.start) else { return false }
          isMeeting[inside] = true
          steps[index].target = Int32(truncatingIfNeeded: inside)
        }
      }
      if flow == .jump || flow == .indirectJump || flow == .return || flow == .stop {
        // Padding leads nowhere.
        var next = index &+ 1
        while next < steps.count, steps[next].isNop { next &+= 1 }
        if next < steps.count { isMeeting[next] = true }
      }
    }
    return true
  }

  /// Tables of distances to places in the function that it takes the address of, as compilers make them of `switch`.
  private mutating func readTables(
    _ binary: Binary, _ function: CodeTable.Function, _ budget: inout Int
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
        isMeeting[index] = true
        place &+= 4
      }
    }
    budget -= tableTargets.count
    return true
  }

  private mutating func divide() {
    var first = 0
    while first < steps.count {
      var end = first
      var isNoted = false
      repeat {
        let flow = steps[end].flow
        // Jumps inside the function are of no interest.
        if flow != .next, flow != .stop, steps[end].target < 0 { isNoted = true }
        blockOfStep.append(end == first ? Int32(truncatingIfNeeded: blocks.count) : -1)
        end &+= 1
      } while end < steps.count && !isMeeting[end]
      blocks.append(Block(first: first, isNoted: isNoted))
      states.append(FlowState())
      first = end
    }
  }

  mutating func noteChanges(_ changed: (UInt64) -> UInt16) {
    for step in steps where step.flow == .call {
      let mask = changed(target(step))
      if mask & FlowState.volatile != FlowState.volatile { changes.append((step.place, mask)) }
    }
  }

  private func changes(at place: Int32) -> UInt16 {
    let low = changes.lowerBound { $0.place < place }
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
    var unreached = 0
    while true {
      var hasChanged = true
      while hasChanged {
        hasChanged = false
        for index in blocks.indices where blocks[index].isDue {
          blocks[index].isDue = false
          hasChanged = true
          guard pass(index, &own) else { return false }
        }
      }
      // What nobody leads to as far as can be seen, landing pads among it, is entered with anything.
      while unreached < blocks.count, blocks[unreached].isReached { unreached &+= 1 }
      if unreached == blocks.count { return true }
      meet(FlowState(), blocks[unreached].first)
    }
  }

  private mutating func meet(_ state: borrowing FlowState, _ step: Int) {
    let index = Int(blockOfStep[step])
    if blocks[index].isReached {
      if states[index].meet(state) { blocks[index].isDue = true }
    } else {
      states[index] = copy state
      blocks[index].isReached = true
      blocks[index].isDue = true
    }
  }

  private mutating func pass(_ block: Int, _ budget: inout Int) -> Bool {
    var state = states[block]
    var index = blocks[block].first
    repeat {
      budget &-= 1
      if budget < 0 { return false }
      let target = Int(steps[index].target)
      if target >= 0 { meet(state, target) }
      if steps[index].flow == .indirectJump, steps[index].slot == nil { jump(steps[index], state, &budget) }
      guard advance(steps[index], &state) else { return true }
      index &+= 1
    } while index < steps.count && blockOfStep[index] < 0
    if index < steps.count { meet(state, index) }
    return true
  }

  /// By a table.
  private mutating func jump(_ step: FlowStep, _ state: borrowing FlowState, _ budget: inout Int) {
    var place = FlowValue.unknown
    if let register = step.jumpRegister { place = state.registers[register] }
    budget &-= tableTargets.count
    for index in tableTargets.indices where place.kind != .destination || place.number == tableTargets[index].table {
      meet(state, Int(tableTargets[index].step))
    }
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

  /// Instructions with the states before them; `all`: those of blocks without calls, too.
  func visit(all: Bool, _ body: (FlowStep, borrowing FlowState) -> Void) {
    for (block, state) in zip(blocks, states) where all || block.isNoted {
      var state = state
      var index = block.first
      repeat {
        body(steps[index], state)
        guard advance(steps[index], &state) else { break }
        index &+= 1
      } while index < steps.count && blockOfStep[index] < 0
    }
  }
}
