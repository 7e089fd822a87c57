import CKernel

/// All words of the process that have to change when newer versions become current: collected first, stored
/// afterwards, each by one aligned store (DESIGN, section 4).
struct SlotWrites {
  struct Write {
    let slot: UInt64
    /// The address that it leads to, and the one that it will.
    let old: UInt64
    let value: UInt64
    /// Bound by the symbol of a function; of these, R_X86_64_JUMP_SLOT: code only calls through it.
    var isSymbolic = false
    var isCall = false
    /// A word of state, which the program may write to at any time.
    var isState = false
    /// It holds the address of a function, and calls may lead to a gate meanwhile.
    var isFunction = true
    /// Whose relocation it is.
    var owner: LoadedObject?

    /// A word of state may hold something else by now, which stays.
    func store(_ stubs: GateStubs) {
      if isState {
        let held = ProcessMemory.loadAtomically(at: slot)
        if stubs.target(of: held) == old { ProcessMemory.exchange(held, by: value, at: slot) }
      } else {
        ProcessMemory.storeAtomically(value, at: slot)
      }
    }
  }

  let pairs: [NewVersion]
  /// Of the versions that are being replaced: nearly every slot leads to none of them.
  private let ranges: [AddressRange]
  /// Some of these have state of their own.
  private let bringsState: Bool
  private(set) var writes: [Write] = []
  /// Objects whose RELRO holds slots.
  private(set) var protected: [LoadedObject] = []
  /// The object looked at is a version of one that is being replaced: its own pointers may follow.
  private var isOwnVersion = false
  /// Where symbols are looked up whose pointers the program has changed; nil: those stay.
  private let scope: Scope?
  private let gateStubs: GateStubs

  init(_ program: Program, _ pairs: [NewVersion]) {
    self.pairs = pairs
    ranges = pairs.map { $0.old.memoryRange }
    bringsState = pairs.contains { $0.isMigrated }
    scope = program.settings.keepsChangedPointers ? nil : program.scope
    gateStubs = program.gateStubs
    let followsAll = program.settings.relocatesOutdated
    for object in program.registry.objects where followsAll || isCurrent(object) { collect(from: object) }
    for object in program.hostObjects { collect(from: object) }
    for pair in pairs {
      collectInitialPointers(of: pair)
      if !pair.isMigrated { collectOtherPointers(of: pair, program) }
      collectCopies(of: pair, in: program.executable, program)
    }
  }

  /// Where a word leads to: behind a gate that it may lead to at the moment.
  private func target(of slot: UInt64) -> UInt64 {
    let value = ProcessMemory.load(UInt64.self, at: slot)
    return gateStubs.target(of: value)
  }

  /// Versions that are being replaced are outdated by then.
  private func isCurrent(_ object: LoadedObject) -> Bool {
    object.identity.map { $0.current === object } ?? true && !pairs.contains { $0.old === object }
  }

  private func pair(owning address: UInt64) -> NewVersion? {
    for index in ranges.indices where ranges[index].contains(address) { return pairs[index] }
    return nil
  }

  /// The slots of `object` that lead into a version that is being replaced.
  private mutating func collect(from object: LoadedObject) {
    let count = writes.count
    isOwnVersion = pairs.contains { $0.shared === object.identity }
    if let tables = try? [
      RelocationTable(object.image, object.dynamic.rela),
      RelocationTable(object.image, object.dynamic.pltRelocations),
    ] {
      for table in tables {
        for index in 0..<table.count { consider(table[index], of: object) }
      }
    }
    if isOwnVersion, let relative = try? RelativeRelocationTable(object.image, object.dynamic.relr) {
      try? relative.forEachOffset { offset in considerPointer(at: offset, of: object) }
    }
    if writes.count > count, object.segments.relro != nil { protected.append(object) }
  }

  private mutating func consider(_ relocation: Relocation, of object: LoadedObject) {
    switch Int32(truncatingIfNeeded: relocation.type) {
    case R_X86_64_RELATIVE:
      if isOwnVersion { considerPointer(at: relocation.offset, of: object) }
    case R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT, R_X86_64_64: considerSymbol(relocation, of: object)
    default: break
    }
  }

  /// A slot in which relocation may have put an address, and what is in it now.
  private func content(at offset: UInt64, of object: LoadedObject) -> (slot: UInt64, value: UInt64)? {
    guard offset & 7 == 0, let segment = object.image.segment(at: offset), segment.isWritable,
      segment.memorySize - (offset - segment.address) >= 8
    else { return nil }
    let place = object.bias &+ offset
    // State of a newer version is at its home; its own copy may not even be readable.
    if let binding = object.binding, binding.home(of: place) != place { return nil }
    return (place, target(of: place))
  }

  /// A symbolic slot follows by name, if it still holds what binding put there.
  private mutating func considerSymbol(_ relocation: Relocation, of object: LoadedObject) {
    guard let (slot, value) = content(at: relocation.offset, of: object), relocation.symbolIndex != 0,
      let symbol = object.symbols[relocation.symbolIndex]
    else { return }
    considerVariable(relocation, symbol, slot, value, of: object)
    guard let pair = pair(owning: value) else { return considerChanged(relocation, symbol, slot, value, of: object) }
    if symbol.isLocal { return considerPointer(at: relocation.offset, of: object) }
    guard let bytes = object.symbols.name(of: symbol) else { return }
    let name = SymbolName(bytes)
    let version = object.versions.version(of: relocation.symbolIndex)
    let addend = relocation.type == UInt32(R_X86_64_64) ? UInt64(bitPattern: relocation.addend) : 0
    guard let before = pair.old.definition(of: name, version: version), before.symbol.isFunction,
      let after = pair.object.definition(of: name, version: version), after.symbol.isFunction,
      value == pair.old.bias &+ before.symbol.value &+ addend
    else { return considerPointer(at: relocation.offset, of: object) }
    writes.append(
      Write(
        slot: slot, old: value, value: pair.object.bias &+ after.symbol.value &+ addend, isSymbolic: true,
        isCall: relocation.type == UInt32(R_X86_64_JUMP_SLOT), owner: object))
  }

  /// LD_RELOCATE_CHECK=0: whatever is there, it becomes what binding would put there.
  private mutating func considerChanged(
    _ relocation: Relocation, _ symbol: Symbol, _ slot: UInt64, _ value: UInt64, of object: LoadedObject
  ) {
    guard let scope, !symbol.isLocal, let bytes = object.symbols.name(of: symbol) else { return }
    let name = SymbolName(bytes)
    let version = object.versions.version(of: relocation.symbolIndex)
    guard let found = scope.find(name, version: version), found.symbol.isFunction,
      let pair = pairs.first(where: { $0.old === found.object }),
      let after = pair.object.definition(of: name, version: version), after.symbol.isFunction
    else { return }
    let addend = relocation.type == UInt32(R_X86_64_64) ? UInt64(bitPattern: relocation.addend) : 0
    writes.append(
      Write(slot: slot, old: value, value: pair.object.bias &+ after.symbol.value &+ addend, owner: object))
  }

  /// A variable of an object whose new version has state of its own is where that version has it. Old code keeps the
  /// old one.
  private mutating func considerVariable(
    _ relocation: Relocation, _ symbol: Symbol, _ slot: UInt64, _ value: UInt64, of object: LoadedObject
  ) {
    guard bringsState, !isOwnVersion, !symbol.isLocal,
      let pair = pairs.first(where: { $0.isMigrated && $0.old.stateOwner.contains(value) }),
      let bytes = object.symbols.name(of: symbol)
    else { return }
    let name = SymbolName(bytes)
    let version = object.versions.version(of: relocation.symbolIndex)
    let addend = relocation.type == UInt32(R_X86_64_64) ? UInt64(bitPattern: relocation.addend) : 0
    guard let before = pair.old.definition(of: name, version: version), before.symbol.isObject,
      let after = pair.object.definition(of: name, version: version), after.symbol.isObject
    else { return }
    let place = pair.old.bias &+ before.symbol.value
    guard value == (pair.old.binding?.home(of: place) ?? place) &+ addend else { return }
    writes.append(
      Write(slot: slot, old: value, value: pair.object.bias &+ after.symbol.value &+ addend, owner: object))
  }

  /// A pointer inside the object itself (tables of functions, virtual tables): by Bean's function map. Functions
  /// that run at exit stay those of the version whose constructors ran.
  private mutating func considerPointer(at offset: UInt64, of object: LoadedObject) {
    guard let (slot, value) = content(at: offset, of: object), let pair = pair(owning: value),
      let match = pair.verdict.newFunction(for: value &- pair.old.bias)
    else { return }
    let array = object.dynamic.finiArray
    if array.isPresent, offset >= array.address, offset - array.address < array.size { return }
    let isState = object.segments.relro.map { !$0.contains(offset) } ?? true
    writes.append(
      Write(slot: slot, old: value, value: pair.object.bias &+ match.new, isState: isState, owner: object))
  }

  /// Function pointers in state that still hold their initial value: the new version's relocations tell where
  /// they are, the old function's counterpart what they would hold.
  private mutating func collectInitialPointers(of pair: NewVersion) {
    let binary = pair.binary
    for entry in binary.relocations.entries where binary.regions.kind(of: entry.address) == .state {
      let place = pair.object.bias &+ entry.address
      considerInitial(entry, of: pair, at: pair.object.binding?.home(of: place) ?? place)
    }
  }

  private mutating func considerInitial(
    _ entry: RelocationIndex.Entry, of pair: NewVersion, at slot: UInt64, in owner: LoadedObject? = nil
  ) {
    guard slot & 7 == 0 else { return }
    let value = target(of: slot)
    guard pair.old.contains(value), let match = pair.verdict.newFunction(for: value &- pair.old.bias),
      expectedFunction(entry, pair.binary) == match.new
    else { return }
    writes.append(Write(slot: slot, old: value, value: pair.object.bias &+ match.new, isState: true, owner: owner))
  }

  /// The same in constants that the executable has copied, virtual tables mostly: all versions use its copy. What
  /// is state has it for a home.
  private mutating func collectCopies(of pair: NewVersion, in executable: LoadedObject, _ program: Program) {
    let count = writes.count
    executable.forEachCopy { (relocation, symbol) in
      guard let bytes = executable.symbols.name(of: symbol) else { return }
      let name = SymbolName(bytes)
      let version = executable.versions.version(of: relocation.symbolIndex)
      guard program.scope.find(name, version: version, excluding: .executable)?.object === pair.old,
        let source = pair.object.definition(of: name, version: version)?.symbol,
        pair.binary.regions.kind(of: source.value) != .state
      else { return }
      let relocations = pair.binary.relocations
      var index = relocations.lowerBound(source.value)
      while index < relocations.entries.count {
        let offset = relocations.entries[index].address &- source.value
        guard offset < min(source.size, symbol.size), min(source.size, symbol.size) &- offset >= 8 else { return }
        let slot = executable.bias &+ relocation.offset &+ offset
        considerInitial(relocations.entries[index], of: pair, at: slot, in: executable)
        index += 1
      }
    }
    if writes.count > count, executable.segments.relro != nil, !protected.contains(where: { $0 === executable }) {
      protected.append(executable)
    }
  }

  /// Words of state whose initial value is another one in the new version. What the program has changed is its own.
  private mutating func collectOtherPointers(of pair: NewVersion, _ program: Program) {
    let before = pair.oldBinary
    var others: [Write] = []
    for pointer in pair.verdict.pointers {
      let place = pair.object.bias &+ pointer.new
      let home = pair.object.binding?.home(of: place) ?? place
      guard home & 7 == 0,
        let expected = initialValue(before, before.relocations.entry(at: pointer.old), of: pair.old, program),
        let value = initialValue(
          pair.binary, pair.binary.relocations.entry(at: pointer.new), of: pair.object, program)
      else { continue }
      let found = target(of: home)
      guard found == expected || scope != nil else { continue }
      let isFunction = found != 0 && before.regions.kind(of: found &- pair.old.bias) == .code
      others.append(Write(slot: home, old: found, value: value, isState: true, isFunction: isFunction))
    }
    if others.isEmpty { return }
    // Some would have led to the old function's counterpart.
    let homes = Set(others.map { $0.slot })
    writes.removeAll { homes.contains($0.slot) }
    writes += others
  }

  /// What relocation makes of a word; nil where its symbol is not the object's own.
  private func initialValue(
    _ binary: Binary, _ entry: RelocationIndex.Entry?, of object: LoadedObject, _ program: Program
  ) -> UInt64? {
    guard let entry else { return 0 }
    guard let symbol = binary.symbols.symbol(of: entry) else {
      return object.bias &+ UInt64(bitPattern: entry.addend)
    }
    if symbol.isExport {
      let found = program.scope.find(SymbolName(symbol.name), version: object.versions.version(of: Int(entry.symbol)))
      let owner = found?.object
      guard owner == nil || owner === object || pairs.contains(where: { $0.old === owner && $0.object === object })
      else { return nil }
    }
    return object.bias &+ symbol.symbol.value &+ UInt64(bitPattern: entry.addend)
  }

  /// Address, in the new version, of the function that a relocation in state refers to.
  private func expectedFunction(_ entry: RelocationIndex.Entry, _ binary: Binary) -> UInt64? {
    if let symbol = binary.symbols.symbol(of: entry) {
      return symbol.symbol.isUndefined ? nil : symbol.symbol.value &+ UInt64(bitPattern: entry.addend)
    }
    return UInt64(bitPattern: entry.addend)
  }
}
