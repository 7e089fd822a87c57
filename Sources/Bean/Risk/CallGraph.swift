/// Who calls a function of a version, and who else may have its address.
struct CallGraph {
  private let binary: Binary
  /// Callee and caller, sorted.
  private let calls: [Keyed]
  /// Function whose address is taken and the function that takes it, sorted.
  private let takers: [Keyed]
  /// Some word of memory leads to it.
  private var isInData: [Bool]
  /// Symbols by which others can call it.
  private let exports: [Keyed]
  /// Addresses in the midst of functions that code outside of these leads to, sorted.
  let entries: [UInt64]

  init(_ binary: Binary) {
    self.binary = binary
    let code = binary.code
    var (calls, takers, exports, entries): ([Keyed], [Keyed], [Keyed], [UInt64]) = ([], [], [], [])
    isInData = [Bool](repeating: false, count: code.functions.count)
    for index in code.functions.indices where !code.functions[index].isLinkage {
      for reference in code.references[code.functions[index].first..<code.functions[index].end] {
        let target = CallGraph.function(binary, reference)
        guard let target else { continue }
        if code.functions[target.index].range.start != target.address { entries.append(target.address) }
        let pair = Keyed(key: UInt64(target.index), index: index)
        if reference.kind == .branch { calls.append(pair) } else { takers.append(pair) }
      }
    }
    for entry in binary.relocations.entries where !CallGraph.isSlot(entry, binary) {
      guard let address = CallGraph.address(binary, entry), let index = code.index(containing: address) else {
        continue
      }
      if code.functions[index].range.start == address { isInData[index] = true } else { entries.append(address) }
    }
    for (number, entry) in binary.symbols.entries.enumerated() where entry.isExport && !entry.symbol.isObject {
      if let index = code.index(containing: entry.symbol.value) {
        exports.append(Keyed(key: UInt64(index), index: number))
      }
    }
    self.calls = calls.sorted(by: Keyed.isBefore)
    self.takers = takers.sorted(by: Keyed.isBefore)
    self.exports = exports.sorted(by: Keyed.isBefore)
    self.entries = entries.sorted()
  }

  /// Slots of the GOT that only code reads, at the places that are known.
  private static func isSlot(_ entry: RelocationIndex.Entry, _ binary: Binary) -> Bool {
    entry.symbol != 0 && binary.regions.region(containing: entry.address)?.kind == .got
  }

  private static func address(_ binary: Binary, _ entry: RelocationIndex.Entry) -> UInt64? {
    if entry.symbol == 0 { return UInt64(bitPattern: entry.addend) }
    guard let symbol = binary.symbols.symbol(of: entry)?.symbol, !symbol.isUndefined else { return nil }
    return symbol.value &+ UInt64(bitPattern: entry.addend)
  }

  /// The function that a reference of code leads to, through the PLT and the GOT as well.
  private static func function(_ binary: Binary, _ reference: CodeReference) -> (index: Int, address: UInt64)? {
    guard let index = binary.code.index(containing: reference.target) else {
      return reference.kind == .address ? nil : throughSlot(binary, reference.target)
    }
    let function = binary.code.functions[index]
    guard function.isLinkage else { return (index, reference.target) }
    for inner in binary.code.references[function.first..<function.end] where inner.kind == .memory {
      return throughSlot(binary, inner.target)
    }
    return nil
  }

  private static func throughSlot(_ binary: Binary, _ slot: UInt64) -> (index: Int, address: UInt64)? {
    guard let entry = binary.relocations.entry(at: slot), entry.symbol != 0,
      let symbol = binary.symbols.symbol(of: entry)?.symbol, !symbol.isUndefined,
      let index = binary.code.index(containing: symbol.value)
    else { return nil }
    return (index, symbol.value)
  }

  /// The function that a call leads to, if it is one of this version.
  func callee(_ call: FlowSummary.Call) -> Int? {
    if let target = call.target {
      let reference = CodeReference(field: 0, target: target, kind: .branch, size: 4, trailing: 0)
      guard let found = CallGraph.function(binary, reference),
        binary.code.functions[found.index].range.start == found.address
      else { return nil }
      return found.index
    }
    return call.slot.flatMap { CallGraph.throughSlot(binary, $0)?.index }
  }

  /// Nobody but code that calls it by its address can enter it.
  func isPrivate(_ function: Int) -> Bool {
    !isInData[function] && CallGraph.all(takers, function).isEmpty && CallGraph.all(exports, function).isEmpty
  }

  func callers(of function: Int) -> [Int] { CallGraph.all(calls, function) }

  private static func all(_ list: [Keyed], _ key: Int) -> [Int] {
    var low = 0
    var high = list.count
    while low < high {
      let middle = (low + high) / 2
      if list[middle].key < UInt64(key) { low = middle + 1 } else { high = middle }
    }
    var found: [Int] = []
    while low < list.count, list[low].key == UInt64(key) {
      if found.last != list[low].index { found.append(list[low].index) }
      low += 1
    }
    return found
  }

  /// The exports, as indices of symbols, that must be called for one of the functions to run; nil: that can't be
  /// told, since a word of data leads to it, or nobody seems to.
  func exports(leadingTo functions: [Int]) -> [Int]? {
    var isSeen = [Bool](repeating: false, count: binary.code.functions.count)
    var pending = functions
    var found: [Int] = []
    while let function = pending.popLast() {
      if isSeen[function] { continue }
      isSeen[function] = true
      if isInData[function] { return nil }
      let names = CallGraph.all(exports, function)
      let others = CallGraph.all(calls, function) + CallGraph.all(takers, function)
      if names.isEmpty && others.isEmpty { return nil }
      found += names
      pending += others
    }
    return found
  }
}
