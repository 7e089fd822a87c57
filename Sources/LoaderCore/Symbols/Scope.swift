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

  /// LD_DYNAMIC_WEAK: the first definition that is not weak, before the first weak one.
  public var prefersStrong = false

  public init() {}

  public func append(_ object: LoadedObject) {
    if !contains(object) { objects.append(object) }
  }

  public func contains(_ object: LoadedObject) -> Bool { objects.contains { $0 === object } }

  public func remove(where isGone: (LoadedObject) -> Bool) { objects.removeAll(where: isGone) }

  /// A newer version takes the place of the older one.
  public func replace(_ old: LoadedObject, by new: LoadedObject) {
    for index in 0..<objects.count where objects[index] === old { objects[index] = new }
  }

  /// A copy in which newer versions stand in the places of older ones.
  public func replacing(_ pairs: [(old: LoadedObject, new: LoadedObject)]) -> Scope {
    let copy = Scope()
    copy.objects = objects
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
    var weak: Definition?
    for object in objects {
      if excluding.contains(.executable), object.role == .executable { continue }
      if let found = object.definition(of: name, version: version) {
        if excluding.contains(.pltEntries), found.symbol.isUndefined { continue }
        let definition = Definition(object: object, index: found.index, symbol: found.symbol)
        if !prefersStrong || !found.symbol.isWeak { return definition }
        if weak == nil { weak = definition }
      }
    }
    return weak
  }

  /// The first definition behind `object`, for RTLD_NEXT.
  public func find(_ name: SymbolName, version: SymbolVersion?, after object: LoadedObject) -> Definition? {
    var isBehind = false
    for candidate in objects {
      if isBehind, let found = candidate.definition(of: name, version: version) {
        return Definition(object: candidate, index: found.index, symbol: found.symbol)
      }
      if candidate === object { isBehind = true }
    }
    return nil
  }
}
