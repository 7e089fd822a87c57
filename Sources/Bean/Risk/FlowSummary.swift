/// What one function passes to others, returns, and takes fields of: where pointers come from and where they go.
///
/// Registers and words of the frame are followed through all branches; where paths meet, what differs is not known.
struct FlowSummary {
  struct Call {
    /// Offset in the function.
    let place: Int
    /// What is called, or jumped to at the end; nil: through a pointer or a slot.
    let target: UInt64?
    /// The slot that the call goes through.
    let slot: UInt64?
    let arguments: InlineArray<6, FlowValue>
  }

  private(set) var calls: [Call] = []
  /// What RAX holds where the function ends.
  private(set) var returned: [FlowValue] = []
  /// Bases of fields by the offset of the instruction, those that are known.
  private var bases: [(place: Int, value: FlowValue)] = []

  func base(at place: Int) -> FlowValue {
    var low = 0
    var high = bases.count
    while low < high {
      let middle = (low + high) / 2
      if bases[middle].place < place { low = middle + 1 } else { high = middle }
    }
    return low < bases.count && bases[low].place == place ? bases[low].value : .unknown
  }
}

extension FlowSummary {
  /// `entries`: addresses in the midst of the function that other functions jump to. nil where it can't be followed:
  /// too large, no code, or jumps to where nobody knows. `changed`: the registers that a call of that address changes.
  init?(
    _ binary: Binary, _ function: CodeTable.Function, entries: ArraySlice<UInt64>, changed: (UInt64) -> UInt16
  ) {
    guard var flow = FlowAnalysis(binary, function, entries) else { return nil }
    flow.noteChanges(changed)
    guard flow.run() else { return nil }
    flow.visit { (encoding, state) in
      let place = encoding.start
      if let base = encoding.base, base != 4, state.registers[Int(base)].kind != .unknown {
        bases.append((place, state.registers[Int(base)]))
      }
      switch encoding.instruction.flow {
      case .call, .jump, .conditionalJump, .indirectCall, .indirectJump:
        guard let (target, slot) = flow.leaving(encoding) else { return }
        var arguments = InlineArray<6, FlowValue>(repeating: .unknown)
        for index in 0..<6 { arguments[index] = state.registers[FlowState.arguments[index]] }
        calls.append(Call(place: place, target: target, slot: slot, arguments: arguments))
        // The last call's result is this function's.
        if encoding.instruction.flow != .call, encoding.instruction.flow != .indirectCall {
          returned.append(FlowValue(kind: .result, number: Int64(place)))
        }
      case .return: returned.append(state.registers[0])
      default: break
      }
    }
    bases.sort { $0.place < $1.place }
  }
}

/// The states of a function's instructions, found by going through it until nothing changes any more.
struct FlowAnalysis {
  private let range: AddressRange
  private let bytes: Bytes
  private let steps: [RiskEncoding]
  /// For each step: its number among the places where paths meet, or -1.
  private var leaders: [Int32]
  private var leaderSteps: [Int] = []
  private var states: [FlowState?]
  /// Where jumps through a register may lead to.
  private var tableTargets: [(table: Int64, step: Int)] = []
  private var isUnknownEntry: [Int] = []
  /// Calls by their offsets, and the registers that they change; all that they may, where they are not here.
  private var changes: [Int: UInt16] = [:]

  private static var maximumSize: UInt64 { 1 << 17 }
  private static var maximumTargets: Int { 1 << 14 }

  init?(_ binary: Binary, _ function: CodeTable.Function, _ entries: ArraySlice<UInt64>) {
    guard function.isDecoded, function.range.count <= FlowAnalysis.maximumSize,
      let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count)
    else { return nil }
    (range, self.bytes) = (function.range, bytes)
    var found: [RiskEncoding] = []
    var offset = 0
    while offset < bytes.count {
      guard let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.length != 0 else {
        return nil
      }
      found.append(RiskEncoding(instruction: instruction, bytes: bytes, start: offset))
      offset &+= Int(instruction.length)
    }
    if found.isEmpty { return nil }
    steps = found
    leaders = [Int32](repeating: -1, count: found.count)
    states = []
    lead(0)
    for entry in entries {
      guard let index = step(at: entry) else { return nil }
      isUnknownEntry.append(index)
      lead(index)
    }
    guard findLeaders(binary, function) else { return nil }
    states = [FlowState?](repeating: nil, count: leaderSteps.count)
  }

  private mutating func lead(_ index: Int) {
    guard leaders[index] < 0 else { return }
    leaders[index] = Int32(truncatingIfNeeded: leaderSteps.count)
    leaderSteps.append(index)
  }

  private func step(at address: UInt64) -> Int? {
    guard range.contains(address) else { return nil }
    let offset = Int(address &- range.start)
    var low = 0
    var high = steps.count
    while low < high {
      let middle = (low + high) / 2
      if steps[middle].start < offset { low = middle + 1 } else { high = middle }
    }
    return low < steps.count && steps[low].start == offset ? low : nil
  }

  private mutating func findLeaders(_ binary: Binary, _ function: CodeTable.Function) -> Bool {
    var hasTable = false
    for (index, step) in steps.enumerated() {
      let instruction = step.instruction
      if instruction.isRelativeBranch, instruction.flow != .call {
        let target = self.target(step)
        if range.contains(target) {
          guard let inside = self.step(at: target) else { return false }
          lead(inside)
        }
      }
      if instruction.flow == .indirectJump, !instruction.isRIPRelative { hasTable = true }
      switch instruction.flow {
      case .jump, .indirectJump, .return, .stop:
        // Padding leads nowhere.
        var next = index &+ 1
        while next < steps.count, steps[next].instruction.isNop { next &+= 1 }
        if next < steps.count { lead(next) }
      default: break
      }
    }
    if hasTable { readTables(binary, function) }
    return tableTargets.count < FlowAnalysis.maximumTargets
  }

  /// Tables of distances to places in the function that it takes the address of, as compilers make them of `switch`.
  private mutating func readTables(_ binary: Binary, _ function: CodeTable.Function) {
    for reference in binary.code.references[function.first..<function.end] where reference.kind == .address {
      guard binary.regions.region(containing: reference.target)?.kind == .readOnly else { continue }
      var place = reference.target
      while let distance = binary.file.image.load(Int32.self, at: place),
        let index = step(at: reference.target &+ UInt64(bitPattern: Int64(distance))),
        tableTargets.count < FlowAnalysis.maximumTargets
      {
        tableTargets.append((Int64(bitPattern: reference.target &- range.start), index))
        lead(index)
        place &+= 4
      }
    }
  }

  private func target(_ step: RiskEncoding) -> UInt64 {
    range.start &+ UInt64(step.start) &+ UInt64(step.instruction.length) &+ UInt64(bitPattern: step.immediate)
  }

  /// Where a call, or a jump out of the function, leads to; nil: it stays inside.
  func leaving(_ step: RiskEncoding) -> (target: UInt64?, slot: UInt64?)? {
    let instruction = step.instruction
    if instruction.isRelativeBranch {
      let target = self.target(step)
      return instruction.flow == .call || !range.contains(target) ? (target, nil) : nil
    }
    if instruction.isRIPRelative {
      let end = range.start &+ UInt64(step.start) &+ UInt64(instruction.length)
      return (nil, end &+ UInt64(bitPattern: Int64(step.displacement)))
    }
    return instruction.flow == .indirectJump && !tableTargets.isEmpty ? nil : (nil, nil)
  }

  mutating func noteChanges(_ changed: (UInt64) -> UInt16) {
    for step in steps where step.instruction.flow == .call {
      let mask = changed(target(step))
      if mask & FlowState.volatile != FlowState.volatile { changes[step.start] = mask }
    }
  }

  // MARK: Going through

  /// False: it takes too long.
  mutating func run() -> Bool {
    var pending: [Int] = []
    meet(.entry, 0, &pending)
    for index in isUnknownEntry { meet(FlowState(), index, &pending) }
    var budget = 64 &* steps.count &+ 4096
    var unvisited = 0
    while true {
      while let leader = pending.popLast() {
        guard pass(leader, &budget, &pending) else { return false }
      }
      // What nobody leads to as far as can be seen, landing pads among it, is entered with anything.
      while unvisited < states.count, states[unvisited] != nil { unvisited &+= 1 }
      if unvisited == states.count { return true }
      meet(FlowState(), leaderSteps[unvisited], &pending)
    }
  }

  private mutating func meet(_ state: FlowState, _ step: Int, _ pending: inout [Int]) {
    let leader = Int(leaders[step])
    guard states[leader] != nil else {
      states[leader] = state
      pending.append(leader)
      return
    }
    if states[leader]?.meet(state) == true, pending.last != leader { pending.append(leader) }
  }

  private mutating func pass(_ leader: Int, _ budget: inout Int, _ pending: inout [Int]) -> Bool {
    guard var state = states[leader] else { return true }
    var index = leaderSteps[leader]
    repeat {
      budget &-= 1
      if budget < 0 { return false }
      let step = steps[index]
      if step.instruction.isRelativeBranch, step.instruction.flow != .call, let inside = self.step(at: target(step)) {
        meet(state, inside, &pending)
      }
      if step.instruction.flow == .indirectJump, !step.instruction.isRIPRelative {
        let place = FlowStep(step).register.map { state.registers[$0] } ?? .unknown
        for target in tableTargets where place.kind != .destination || place.number == target.table {
          meet(state, target.step, &pending)
        }
      }
      guard advance(step, &state) else { return true }
      index &+= 1
    } while index < steps.count && leaders[index] < 0
    if index < steps.count { meet(state, index, &pending) }
    return true
  }

  /// Past one instruction; false: it does not go on behind it.
  private func advance(_ step: RiskEncoding, _ state: inout FlowState) -> Bool {
    switch step.instruction.flow {
    case .next: FlowStep(step).apply(to: &state)
    case .call: state.call(at: Int64(step.start), changed: changes[step.start] ?? FlowState.volatile)
    case .indirectCall: state.call(at: Int64(step.start), changed: FlowState.volatile)
    // LOOP counts in RCX.
    case .conditionalJump: if step.instruction.opcode & 0xfc == 0xe0 { state.forget(1) }
    default: return false
    }
    return true
  }

  /// Every instruction with the state before it.
  func visit(_ body: (RiskEncoding, borrowing FlowState) -> Void) {
    for (leader, start) in leaderSteps.enumerated() {
      guard var state = states[leader] else { continue }
      var index = start
      repeat {
        body(steps[index], state)
        guard advance(steps[index], &state) else { break }
        index &+= 1
      } while index < steps.count && leaders[index] < 0
    }
  }
}
