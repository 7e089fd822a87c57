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
  public private(set) var filters: [BloomFilter] = []

  /// For many look-ups, until the scope changes.
  public private(set) var run: LookupRun?

  /// LD_DYNAMIC_WEAK: the first definition that is not weak, before the first weak one.
  public var prefersStrong = false

  public init() {}

  /// Makes ready for about `references` look-ups in a row, where that pays.
  func prepareLookUps(references: Int) {
    if run == nil, !prefersStrong, references >= LookupRun.leastReferences { run = LookupRun(self) }
    run?.makeTable(references: references)
  }

  /// What is kept for the next ones is small.
  func finishLookUps() { run?.dropTable() }
  func endLookUps() { run = nil }

  public func append(_ object: LoadedObject) {
    if contains(object) { return }
    run = nil
    objects.append(object)
    filters.append(object.filter)
  }

  public func contains(_ object: LoadedObject) -> Bool { objects.contains { $0 === object } }

  public func remove(where isGone: (LoadedObject) -> Bool) {
    run = nil
    objects.removeAll(where: isGone)
    filters = objects.map { $0.filter }
  }

  /// A newer version takes the place of the older one.
  public func replace(_ old: LoadedObject, by new: LoadedObject) {
    run = nil
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
    copy.prefersStrong = prefersStrong
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

  /// The first definition; weak or not, unless strong ones are preferred (ld.so(8), LD_DYNAMIC_WEAK).
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
    var weak: Definition?
    var index = first
    while true {
      index = candidate(name.gnuHash, from: index)
      if index >= objects.count { return weak }
      let object = objects[index]
      index += 1
      if excluding.contains(.executable), object.role == .executable { continue }
      guard let found = object.filteredDefinition(of: name, version: version) else { continue }
      if excluding.contains(.pltEntries), found.symbol.isUndefined { continue }
      let definition = Definition(object: object, index: found.index, symbol: found.symbol)
      if !prefersStrong || !found.symbol.isWeak { return definition }
      if weak == nil { weak = definition }
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
