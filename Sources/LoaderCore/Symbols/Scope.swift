import CKernel

/// A symbol's definition and the object that has it.
public struct Definition {
  public let object: LoadedObject
  public let index: Int
  public let symbol: Symbol

  /// Address in memory of a function or variable: for a newer version, a variable is at its home.
  public var address: UInt64 {
    if symbol.isAbsolute { return symbol.value }
    let place = object.bias &+ symbol.value
    return object.binding?.home(of: place) ?? place
  }
}

/// The objects in which symbols are looked up, in order (gABI, "Shared Object Dependencies").
public final class Scope {
  public private(set) var objects: [LoadedObject] = []
  /// Those objects' bloom filters side by side: most objects have not got most names, and this is all that is looked at
  /// then.
  private var filters: [BloomFilter] = []
  /// While many references are looked up; any change of the scope ends it.
  private var table: NameTable?

  public init() {}

  public func append(_ object: LoadedObject) {
    if contains(object) { return }
    table = nil
    objects.append(object)
    filters.append(object.filter)
  }

  public func contains(_ object: LoadedObject) -> Bool { objects.contains { $0 === object } }

  public func remove(where isGone: (LoadedObject) -> Bool) {
    table = nil
    objects.removeAll(where: isGone)
    filters = objects.map { $0.filter }
  }

  /// A newer version takes the place of the older one.
  public func replace(_ old: LoadedObject, by new: LoadedObject) {
    table = nil
    for index in 0..<objects.count where objects[index] === old {
      objects[index] = new
      filters[index] = new.filter
    }
  }

  /// A copy in which newer versions stand in the places of older ones.
  public func replacing(_ pairs: [(old: LoadedObject, new: LoadedObject)]) -> Scope {
    let copy = Scope()
    copy.objects = objects
    copy.filters = filters
    for pair in pairs { copy.replace(pair.old, by: pair.new) }
    return copy
  }

  /// What a look-up leaves out.
  public struct Exclusion: OptionSet {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// The executable itself, for R_X86_64_COPY.
    public static var executable: Exclusion { Exclusion(rawValue: 1) }
    /// Undefined symbols with a value, for R_X86_64_JUMP_SLOT.
    public static var pltEntries: Exclusion { Exclusion(rawValue: 2) }
  }

  /// The first definition, weak or not (as ld.so does without LD_DYNAMIC_WEAK).
  public func find(_ name: SymbolName, version: SymbolVersion?, excluding: Exclusion = []) -> Definition? {
    find(name, version: version, excluding: excluding, from: 0)
  }

  /// The first definition behind `object`, for RTLD_NEXT.
  public func find(_ name: SymbolName, version: SymbolVersion?, after object: LoadedObject) -> Definition? {
    guard let index = objects.firstIndex(where: { $0 === object }) else { return nil }
    return find(name, version: version, excluding: [], from: index + 1)
  }

  private func find(
    _ name: SymbolName, version: SymbolVersion?, excluding: Exclusion, from first: Int
  ) -> Definition? {
    if first == 0, table != nil { return findInTable(name, version: version, excluding: excluding) }
    var index = first
    while true {
      index = candidate(name.gnuHash, from: index)
      if index >= objects.count { return nil }
      let object = objects[index]
      index += 1
      if excluding.contains(.executable), object.role == .executable { continue }
      guard let found = object.filteredDefinition(of: name, version: version) else { continue }
      if excluding.contains(.pltEntries), found.symbol.isUndefined { continue }
      return Definition(object: object, index: found.index, symbol: found.symbol)
    }
  }

  /// The first object from `index` on whose filter lets the hash pass; the number of objects for none.
  @inline(__always)
  private func candidate(_ hash: UInt32, from first: Int) -> Int {
    filters.withUnsafeBufferPointer { filters in
      var index = first
      while index < filters.count {
        if filters[index].mayContain(hash) { return index }
        index &+= 1
      }
      return index
    }
  }
}

/// Many look-ups in a row.
extension Scope {
  /// Makes ready for about `references` look-ups; `stopLookingUpMany` gives the memory back.
  func startLookingUpMany(references: Int) { table = NameTable(objects, references: references) }
  func stopLookingUpMany() { table = nil }
  var isLookingUpMany: Bool { table != nil }

  private func findInTable(_ name: SymbolName, version: SymbolVersion?, excluding: Exclusion) -> Definition? {
    guard let table else { return nil }
    var cursor = table.cursor(name.gnuHash)
    var nextOther = 0
    while let entry = table.next(&cursor) {
      // What is not in the table and comes first in the scope.
      while nextOther < table.others.count, table.others[nextOther] < entry.object {
        if let found = definition(in: table.others[nextOther], name, version, excluding) { return found }
        nextOther += 1
      }
      let object = objects[entry.object]
      if excluding.contains(.executable), object.role == .executable { continue }
      guard let symbol = object.definition(at: entry.symbol, of: name, version: version) else { continue }
      if excluding.contains(.pltEntries), symbol.isUndefined { continue }
      return Definition(object: object, index: entry.symbol, symbol: symbol)
    }
    while nextOther < table.others.count {
      if let found = definition(in: table.others[nextOther], name, version, excluding) { return found }
      nextOther += 1
    }
    return nil
  }

  private func definition(
    in index: Int, _ name: SymbolName, _ version: SymbolVersion?, _ excluding: Exclusion
  ) -> Definition? {
    let object = objects[index]
    if !filters[index].mayContain(name.gnuHash) || (excluding.contains(.executable) && object.role == .executable) {
      return nil
    }
    guard let found = object.filteredDefinition(of: name, version: version) else { return nil }
    if excluding.contains(.pltEntries), found.symbol.isUndefined { return nil }
    return Definition(object: object, index: found.index, symbol: found.symbol)
  }

  /// A look-up waits for memory four times over: the table's slot, the symbol, its version, its name. Whoever knows
  /// what is looked up soon asks for these steps in advance, for several names at a time, and they wait together.
  struct Ahead {
    fileprivate var object = -1
    fileprivate var symbol = 0
  }

  @inline(__always)
  func prefetchSlot(_ name: SymbolName) { table?.prefetch(name.gnuHash) }

  @inline(__always)
  func prefetchSymbol(_ name: SymbolName) -> Ahead {
    guard let table else { return Ahead() }
    var cursor = table.cursor(name.gnuHash)
    guard let entry = table.next(&cursor) else { return Ahead() }
    let object = objects[entry.object]
    object.symbols.prefetch(entry.symbol)
    object.versions.prefetch(entry.symbol)
    return Ahead(object: entry.object, symbol: entry.symbol)
  }

  @inline(__always)
  func prefetchName(_ ahead: Ahead) {
    guard ahead.object >= 0 else { return }
    let symbols = objects[ahead.object].symbols
    if let symbol = symbols[ahead.symbol] { symbols.prefetchName(of: symbol) }
  }
}
