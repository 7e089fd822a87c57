import CKernel

/// Constructors and destructors (gABI, "Initialization and Termination Functions").
extension Program {
  /// The executable's preinit array, then each object after those it needs. The executable's own constructors
  /// are the C library's business (__libc_start_main); without one, Luci's.
  func runConstructors() {
    callArray(executable, executable.dynamic.preinitArray)
    var visited: [LoadedObject] = []
    for object in graph.objects.reversed() { initialise(object, &visited) }
  }

  /// Depth-first; an object in a cycle comes after those of its needs that do not need it.
  func initialise(_ object: LoadedObject, _ visited: inout [LoadedObject]) {
    if object.constructorsRun || visited.contains(where: { $0 === object }) { return }
    visited.append(object)
    for dependency in object.dependencies { initialise(dependency, &visited) }
    if object.constructorsRun { return }
    object.constructorsRun = true
    initialised.append(object)
    if object.role == .executable, standIn != nil { return }
    trace?.initialising(object)
    if let function = object.dynamic.initFunction { call(object.bias &+ function) }
    callArray(object, object.dynamic.initArray)
  }

  private func callArray(_ object: LoadedObject, _ array: DynamicSection.Table) {
    guard array.isPresent,
      object.segments.covers(AddressRange(start: array.address, count: min(array.size, 1 << 40)))
    else { return }
    for index in 0..<array.size / 8 {
      call(ProcessMemory.load(UInt64.self, at: object.bias &+ array.address + index * 8))
    }
  }

  private func call(_ function: UInt64) {
    // -1 and 0 mark the ends of old .ctors lists.
    if function == 0 || function == UInt64.max { return }
    let count = UInt64(programStack.arguments.count)
    ForeignCall.constructor(function, count, programStackAddress + 8, programStackAddress + 16 + count * 8)
  }

  /// What the program's exit runs: destructors, then the host's.
  public func finalise() {
    lock.lock()
    // Destructors may open and close libraries.
    while !initialised.isEmpty {
      let ready = registry.objects.filter { object in initialised.contains { $0 === object } }
      if ready.isEmpty { break }
      for object in DestructorOrder.sorted(ready) {
        guard let index = initialised.firstIndex(where: { $0 === object }) else { continue }
        initialised.remove(at: index)
        // The lock is not held while foreign code runs: a destructor may wait for a thread that opens a library.
        lock.unlock()
        runDestructors(of: object)
        lock.lock()
      }
    }
    lock.unlock()
    if hostFinaliser != 0 { ForeignCall.destructor(hostFinaliser) }
  }

  func runDestructors(of object: LoadedObject) {
    trace?.finalising(object)
    let array = object.dynamic.finiArray
    if array.isPresent, object.segments.covers(AddressRange(start: array.address, count: min(array.size, 1 << 40))) {
      var index = array.size / 8
      while index > 0 {
        index -= 1
        let function = ProcessMemory.load(UInt64.self, at: object.bias &+ array.address + index * 8)
        if function != 0, function != UInt64.max { ForeignCall.destructor(function) }
      }
    }
    if let function = object.dynamic.finiFunction { ForeignCall.destructor(object.bias &+ function) }
  }
}
