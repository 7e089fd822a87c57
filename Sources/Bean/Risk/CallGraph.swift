/// Who calls a function of a version, and who else may have its address.
final class CallGraph {
  /// Lists of functions by function, one behind the other.
  private struct Edges {
    private var starts: [Int32]
    private var others: [Int32]

    /// Sorts `pairs` of a key and another function by the key.
    init(_ pairs: [(key: Int32, other: Int32)], count: Int) {
      starts = [Int32](repeating: 0, count: count &+ 1)
      others = [Int32](repeating: 0, count: pairs.count)
      for pair in pairs { starts[Int(pair.key) &+ 1] &+= 1 }
      for index in 0..<count { starts[index &+ 1] &+= starts[index] }
      var next = starts
      for pair in pairs {
        others[Int(next[Int(pair.key)])] = pair.other
        next[Int(pair.key)] &+= 1
      }
    }

    subscript(function: Int) -> ArraySlice<Int32> { others[Int(starts[function])..<Int(starts[function &+ 1])] }
  }

  private let binary: Binary
  private let calls: Edges
  /// Functions that take a function's address.
  private let takers: Edges
  /// It calls functions of this version.
  private var callsOwn: [Bool]
  /// Some word of memory leads to it, or the dynamic section does.
  private var isInData: [Bool]
  /// Symbols by which others can call it, by function.
  private let exports: [Keyed]
  /// Addresses in the midst of functions that others lead to, sorted.
  private let entries: [UInt64]
  /// For each entry of the PLT the function of this version that it leads to, or -1.
  private let behindLinkage: [Int32]

  init(_ binary: Binary) {
    self.binary = binary
    let code = binary.code
    let behindLinkage = code.functions.map { (function) in
      let found = function.isLinkage ? CallGraph.throughLinkage(binary, function) : nil
      return Int32(truncatingIfNeeded: found ?? -1)
    }
    self.behindLinkage = behindLinkage
    var calls: [(key: Int32, other: Int32)] = []
    var takers: [(key: Int32, other: Int32)] = []
    var entries: [UInt64] = []
    var callsOwn = [Bool](repeating: false, count: code.functions.count)
    calls.reserveCapacity(code.functions.count &* 4)
    for index in code.functions.indices where !code.functions[index].isLinkage {
      var last: Int32 = -1
      for reference in code.references[code.functions[index].first..<code.functions[index].end] {
        guard let target = CallGraph.function(binary, reference, behindLinkage) else { continue }
        let key = Int32(truncatingIfNeeded: target.index)
        if code.functions[target.index].range.start != target.address { entries.append(target.address) }
        // The same again says nothing new.
        callsOwn[index] = true
        if key == last { continue }
        let pair = (key: key, other: Int32(truncatingIfNeeded: index))
        if reference.kind == .branch {
          calls.append(pair)
          last = key
        } else {
          takers.append(pair)
        }
      }
    }
    self.callsOwn = callsOwn
    isInData = [Bool](repeating: false, count: code.functions.count)
    for address in CallGraph.addresses(binary) {
      guard let index = code.index(containing: address) else { continue }
      // Labels of computed jumps lie in the midst.
      if code.functions[index].range.start == address { isInData[index] = true } else { entries.append(address) }
    }
    var exports: [Keyed] = []
    for (number, entry) in binary.symbols.entries.enumerated() where entry.isExport && !entry.symbol.isObject {
      guard let index = code.index(containing: entry.symbol.value) else { continue }
      exports.append(Keyed(key: UInt64(index), index: number))
      if code.functions[index].range.start != entry.symbol.value { entries.append(entry.symbol.value) }
    }
    self.calls = Edges(calls, count: code.functions.count)
    self.takers = Edges(takers, count: code.functions.count)
    self.exports = exports.sorted(by: Keyed.isBefore)
    self.entries = entries.sorted()
  }

  /// What words of memory lead to, and what the loader calls.
  private static func addresses(_ binary: Binary) -> [UInt64] {
    var found: [UInt64] = [binary.file.header.entry]
    if let dynamic = binary.file.dynamic {
      if let address = dynamic.initFunction { found.append(address) }
      if let address = dynamic.finiFunction { found.append(address) }
    }
    for entry in binary.relocations.entries where !isSlot(entry, binary) {
      if entry.symbol == 0 {
        found.append(UInt64(bitPattern: entry.addend))
      } else if let symbol = binary.symbols.symbol(of: entry)?.symbol, !symbol.isUndefined {
        found.append(symbol.value &+ UInt64(bitPattern: entry.addend))
      }
    }
    return found
  }

  /// Slots of the GOT that only code reads, at the places that are known.
  private static func isSlot(_ entry: RelocationIndex.Entry, _ binary: Binary) -> Bool {
    entry.symbol != 0 && binary.regions.region(containing: entry.address)?.kind == .got
  }

  /// The function that a reference of code leads to, through the PLT and the GOT as well.
  private static func function(
    _ binary: Binary, _ reference: CodeReference, _ behindLinkage: [Int32]
  ) -> (index: Int, address: UInt64)? {
    guard let index = binary.code.index(containing: reference.target) else {
      // Calls through slots are references to memory.
      guard reference.kind == .memory, let index = throughSlot(binary, reference.target) else { return nil }
      return (index, binary.code.functions[index].range.start)
    }
    guard binary.code.functions[index].isLinkage else { return (index, reference.target) }
    let behind = Int(behindLinkage[index])
    return behind < 0 ? nil : (behind, binary.code.functions[behind].range.start)
  }

  private static func throughLinkage(_ binary: Binary, _ function: CodeTable.Function) -> Int? {
    for inner in binary.code.references[function.first..<function.end] where inner.kind == .memory {
      return throughSlot(binary, inner.target)
    }
    return nil
  }

  private static func throughSlot(_ binary: Binary, _ slot: UInt64) -> Int? {
    guard let entry = binary.relocations.entry(at: slot), isSlot(entry, binary),
      let symbol = binary.symbols.symbol(of: entry)?.symbol, !symbol.isUndefined,
      let index = binary.code.index(containing: symbol.value)
    else { return nil }
    return index
  }

  /// The function of this version whose first instruction is at `address`, or whose address is in the slot there.
  func callee(_ address: UInt64, isSlot: Bool) -> Int? {
    if isSlot { return CallGraph.throughSlot(binary, address) }
    guard let index = binary.code.index(startingAt: address) else { return nil }
    if !binary.code.functions[index].isLinkage { return index }
    return behindLinkage[index] < 0 ? nil : Int(behindLinkage[index])
  }

  /// Addresses in the midst of a function that others lead to.
  func entries(in range: AddressRange) -> ArraySlice<UInt64> {
    let low = entries.lowerBound { $0 <= range.start }
    var end = low
    while end < entries.count, entries[end] < range.end { end += 1 }
    return entries[low..<end]
  }

  /// Nobody but code that calls it by its address can enter it.
  func isPrivate(_ function: Int) -> Bool {
    !isInData[function] && takers[function].isEmpty && firstExport(function) == nil
  }

  /// What it gets may be passed on to functions of this version.
  func callsOwn(_ function: Int) -> Bool { callsOwn[function] }

  /// One may be there several times.
  func callers(of function: Int) -> ArraySlice<Int32> { calls[function] }

  /// Functions that call it or take its address. One may be there several times.
  func users(of function: Int) -> [Int] { (calls[function] + takers[function]).map { Int($0) } }

  private func firstExport(_ function: Int) -> Int? {
    let low = exports.lowerBound { $0.key < UInt64(function) }
    return low < exports.count && exports[low].key == UInt64(function) ? low : nil
  }

  /// The exports, as indices of symbols, one of which must be called for one of the functions to run; nil: that can't be
  /// told, since a word of data leads there, or nobody seems to.
  func exports(leadingTo functions: [Int]) -> [Int]? {
    var isSeen = [Bool](repeating: false, count: binary.code.functions.count)
    var pending = functions
    var found: [Int] = []
    while let function = pending.popLast() {
      if isSeen[function] { continue }
      isSeen[function] = true
      if isInData[function] { return nil }
      let others = (calls[function], takers[function])
      let own = exports(at: function)
      if own.isEmpty, others.0.isEmpty, others.1.isEmpty { return nil }
      found += own
      for other in others.0 { pending.append(Int(other)) }
      for other in others.1 { pending.append(Int(other)) }
    }
    return found.isEmpty ? nil : found.sorted()
  }

  /// The exports, as indices of symbols, from which it is the fewest calls to each of the functions.
  func nearestExports(to functions: [Int]) -> [Int] {
    var found: Set<Int> = []
    for function in functions {
      var isSeen: Set<Int> = [function]
      var level = [function]
      var nearest: [Int] = []
      while !level.isEmpty, nearest.isEmpty, isSeen.count < CallGraph.searchLimit {
        nearest = level.flatMap { exports(at: $0) }
        level = level.flatMap { calls[$0] }.map { Int($0) }.filter { isSeen.insert($0).inserted }
      }
      found.formUnion(nearest)
    }
    return found.sorted()
  }

  /// Functions that are looked at for each.
  private static var searchLimit: Int { 1000 }

  private func exports(at function: Int) -> [Int] {
    var found: [Int] = []
    var next = firstExport(function)
    while let index = next, index < exports.count, exports[index].key == UInt64(function) {
      found.append(exports[index].index)
      next = index + 1
    }
    return found
  }
}
