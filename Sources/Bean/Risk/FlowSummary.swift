/// What one function passes to others, returns, and takes fields of: where pointers come from and where they go.
final class FlowSummary {
  struct Call {
    /// Offset in the function.
    let place: Int32
    /// The function of the same version that is called; -1: another, or through a pointer.
    let callee: Int32
    /// Address of what is called by it, or of the slot that the call goes through; 0: a pointer.
    let target: UInt64
    let isSlot: Bool
    let arguments: InlineArray<6, FlowValue>
  }

  /// By place.
  private(set) var calls: [Call] = []
  /// What RAX holds where the function ends.
  private(set) var returned: [FlowValue] = []
  /// Bases of fields by place, those that are known.
  private var bases: [(place: Int32, value: FlowValue)] = []
  /// Calls of this version's functions by callee.
  private var byCallee: [Keyed] = []
  /// What these get: the value, callee and argument, sorted by value.
  private var passed: [(value: FlowValue, callee: Int32, argument: Int32)] = []

  /// Of what `flow` found. `takesFields`: bases of fields are to be known.
  init(_ flow: borrowing FlowAnalysis, _ graph: CallGraph, takesFields: Bool) {
    flow.visit(all: takesFields) { (step, state) in
      if takesFields, let base = step.fieldBase, base != FlowState.stackPointer, !state.registers[base].isUnknown {
        bases.append((step.place, state.registers[base]))
      }
      switch step.flow {
      case .next: break
      case .return: returned.append(state.registers[0])
      case .stop: break
      default: note(step, state, flow, graph)
      }
    }
    for (index, call) in calls.enumerated() where call.callee >= 0 {
      byCallee.append(Keyed(key: UInt64(call.callee), index: index))
      for argument in 0..<6 {
        let value = call.arguments[argument]
        guard value.kind == .parameter || value.kind == .result else { continue }
        passed.append((value, call.callee, Int32(truncatingIfNeeded: argument)))
      }
    }
    byCallee.sort(by: Keyed.isBefore)
    passed.sort { FlowValue.isBefore($0.value, $1.value) }
  }

  /// A call, or a jump that may lead out of the function: the last call's result is this function's.
  private func note(
    _ step: FlowStep, _ state: borrowing FlowState, _ flow: borrowing FlowAnalysis, _ graph: CallGraph
  ) {
    let isCall = step.flow == .call || step.flow == .indirectCall
    if !isCall {
      if step.target >= 0 { return }
      if let register = step.jumpRegister, state.registers[register].kind == .destination { return }
      returned.append(FlowValue(.result, Int64(step.place)))
    }
    var target: UInt64 = 0
    if step.isRelative {
      target = flow.target(step)
    } else if let slot = step.slot {
      target = flow.range.start &+ UInt64(bitPattern: slot)
    }
    var arguments = InlineArray<6, FlowValue>(repeating: .unknown)
    for index in 0..<6 { arguments[index] = state.registers[FlowState.arguments[index]] }
    let isSlot = !step.isRelative
    let callee = target == 0 ? nil : graph.callee(target, isSlot: isSlot)
    calls.append(
      Call(
        place: step.place, callee: Int32(truncatingIfNeeded: callee ?? -1), target: target, isSlot: isSlot,
        arguments: arguments))
  }

  /// What the field that is used there lies in.
  func base(at place: Int) -> FlowValue {
    let low = bases.lowerBound { Int($0.place) < place }
    return low < bases.count && Int(bases[low].place) == place ? bases[low].value : .unknown
  }

  func call(at place: Int64) -> Call? {
    let low = calls.lowerBound { Int64($0.place) < place }
    return low < calls.count && Int64(calls[low].place) == place ? calls[low] : nil
  }

  /// Functions of this version that get the value, and as which argument.
  func forEachTaker(of value: FlowValue, _ body: (_ callee: Int, _ argument: Int) -> Void) {
    var low = passed.lowerBound { FlowValue.isBefore($0.value, value) }
    while low < passed.count, passed[low].value == value {
      body(Int(passed[low].callee), Int(passed[low].argument))
      low += 1
    }
  }

  /// What its calls of a function pass as that argument.
  func forEachArgument(_ number: Int, ofCallsOf callee: Int, _ body: (FlowValue) -> Void) {
    var low = byCallee.lowerBound { $0.key < UInt64(callee) }
    while low < byCallee.count, byCallee[low].key == UInt64(callee) {
      body(calls[byCallee[low].index].arguments[number])
      low += 1
    }
  }
}
