import CKernel

/// Many look-ups in one scope in a row, as at start and at dlopen. Its answers are those of `Scope.find`, for as long as
/// the scope stays as it is.
///
/// It keeps plain values side by side, so that a look-up touches no object: versions as numbers that are the same for
/// the same name, and names, where there is much to look up, through one table (`NameTable`).
public final class LookupRun {
  /// What a look-up reads of one object.
  struct Source {
    let symbols: SymbolTable
    /// DT_VERSYM; empty where there is none.
    let versionIndices: Bytes
    let hasVersions: Bool
    /// Where the numbers of its versions begin.
    let firstNumber: Int
    let numberCount: Int
    let bias: UInt64
    let isExecutable: Bool
    let isHost: Bool
    /// A definition's address is `bias` plus its value.
    let isPlain: Bool
    /// `LoadedObject.noteBinding` wants to know who is bound to it.
    let isOpened: Bool
  }

  /// A definition.
  public struct Hit {
    /// Index in the scope.
    public let object: Int
    public let index: Int
    public let symbol: Symbol
  }

  let objects: [LoadedObject]
  private let filters: [BloomFilter]
  private var table: NameTable?
  private(set) var sources: [Source] = []
  private var known = VersionNumbers()
  /// Numbers of versions, for each object by version index; 0: no version.
  private var numbers: [UInt32] = []

  /// With fewer look-ups it does not pay.
  static var leastReferences: Int { 64 }

  /// nil where there are too many versions.
  public init?(_ scope: Scope) {
    objects = scope.objects
    filters = scope.filters
    sources.reserveCapacity(objects.count)
    numbers.reserveCapacity(256)
    for object in objects {
      let first = numbers.count
      if !known.append(object.versions, to: &numbers) { return nil }
      sources.append(
        Source(
          symbols: object.symbols, versionIndices: object.versions.rawTable, hasVersions: !object.versions.isEmpty,
          firstNumber: first, numberCount: numbers.count - first, bias: object.bias,
          isExecutable: object.role == .executable, isHost: object.role == .host,
          isPlain: object.role != .host && object.binding == nil, isOpened: object.isOpened))
    }
  }

  /// Makes the table where it pays. `references`: about how many look-ups will come; with fewer than `least` it never
  /// does.
  func makeTable(references: Int, least: Int = 256) {
    if table == nil { table = NameTable(objects, references: references, least: least) }
  }

  func dropTable() { table = nil }
  var hasTable: Bool { table != nil }

  /// The numbers of an object's versions by index, for its references; nil: there are too many.
  func versionNumbers(of object: LoadedObject) -> [UInt32]? {
    var result: [UInt32] = []
    return known.append(object.versions, to: &result) ? result : nil
  }

  @inline(__always)
  private func rawVersion(_ source: Source, _ symbol: Int) -> UInt16? {
    source.versionIndices.load(UInt16.self, at: symbol &* 2)
  }

  @inline(__always)
  private func number(_ source: Source, _ raw: UInt16) -> UInt32 {
    let index = Int(raw & 0x7fff)
    return index < source.numberCount ? numbers[source.firstNumber &+ index] : 0
  }

  /// `VersionTable.satisfies`.
  @inline(__always)
  private func satisfies(_ source: Source, _ symbol: Int, _ wanted: UInt32) -> Bool {
    guard let raw = rawVersion(source, symbol) else { return true }
    let index = raw & 0x7fff
    if wanted == 0 { return raw & 0x8000 == 0 || index <= 2 }
    if index <= 1 { return raw & 0x8000 == 0 }
    return number(source, raw) == wanted
  }

  /// What `Scope.find` finds, with the number of a version. `withoutPLT`: undefined symbols with a value do not count.
  func find(_ name: SymbolName, version: UInt32, withoutPLT: Bool) -> Hit? {
    guard let table else { return walk(name, version: version, withoutPLT: withoutPLT) }
    var cursor = table.cursor(name.gnuHash)
    var nextOther = 0
    var passedOver = -1
    while let entry = table.next(&cursor) {
      // What is not in the table and comes first in the scope.
      while nextOther < table.others.count, table.others[nextOther] < entry.object {
        if let hit = hit(inOther: table.others[nextOther], name, version, withoutPLT) { return hit }
        nextOther += 1
      }
      if entry.object != passedOver, let hit = hit(entry.object, entry.symbol, name, version) {
        if !(withoutPLT && hit.symbol.isUndefined) { return hit }
        // As the classic look-up: an object's first definition decides, also where it does not count then.
        passedOver = entry.object
      }
    }
    while nextOther < table.others.count {
      if let hit = hit(inOther: table.others[nextOther], name, version, withoutPLT) { return hit }
      nextOther += 1
    }
    return nil
  }

  /// Without a table: one object after the other.
  private func walk(_ name: SymbolName, version: UInt32, withoutPLT: Bool) -> Hit? {
    filters.withUnsafeBufferPointer { filters in
      for index in 0..<filters.count where filters[index].mayContain(name.gnuHash) {
        if let hit = hit(inOther: index, name, version, withoutPLT) { return hit }
      }
      return nil
    }
  }

  @inline(__always)
  private func hit(_ object: Int, _ index: Int, _ name: SymbolName, _ version: UInt32) -> Hit? {
    let source = sources[object]
    guard let symbol = source.symbols[index], symbol.canBeBoundTo(inExecutable: source.isExecutable),
      source.symbols.matches(symbol, name.bytes), satisfies(source, index, version)
    else { return nil }
    return Hit(object: object, index: index, symbol: symbol)
  }

  private func hit(inOther object: Int, _ name: SymbolName, _ version: UInt32, _ withoutPLT: Bool) -> Hit? {
    guard filters[object].mayContain(name.gnuHash) else { return nil }
    var found: Hit?
    func accept(_ index: Int) -> Bool {
      guard let hit = hit(object, index, name, version) else { return false }
      if !(withoutPLT && hit.symbol.isUndefined) { found = hit }
      return true
    }
    if let hash = objects[object].gnuHash {
      hash.forEachFiltered(name.gnuHash, accept)
    } else if let hash = objects[object].sysvHash {
      hash.forEachCandidate(name.bytes, accept)
    }
    return found
  }

  /// A look-up waits for memory several times: the table's slot, the symbol, its version, its name. Whoever knows what
  /// is looked up soon asks for these steps in advance, for several names at a time, and they wait together.
  func prefetch(_ names: UnsafeBufferPointer<SymbolName>) {
    guard let table else { return }
    for name in names { table.prefetch(name.gnuHash) }
    var found = InlineArray<16, (object: Int, symbol: Int)>(repeating: (-1, 0))
    sources.withUnsafeBufferPointer { sources in
      for index in 0..<min(names.count, 16) {
        var cursor = table.cursor(names[index].gnuHash)
        guard let entry = table.next(&cursor) else { continue }
        found[index] = entry
        sources[entry.object].symbols.prefetch(entry.symbol)
        sources[entry.object].versionIndices.prefetch(at: UInt64(entry.symbol) &* 2)
      }
      for index in 0..<min(names.count, 16) where found[index].object >= 0 {
        let symbols = sources[found[index].object].symbols
        if let symbol = symbols[found[index].symbol] { symbols.prefetchName(of: symbol) }
      }
    }
  }
}

/// Gives the same number to the same version, by hash and name, in whichever object.
struct VersionNumbers {
  private var versions: [SymbolVersion] = []
  /// Open addressing; 0: free.
  private var slots = [UInt32](repeating: 0, count: 64)
  /// Steps that are left: broken files could have thousands of versions with one hash.
  private var budget = 1 << 18

  /// Appends the numbers of all versions by index; false: there are too many.
  mutating func append(_ table: VersionTable, to numbers: inout [UInt32]) -> Bool {
    for index in 0..<table.limit {
      guard let version = table[index] else {
        numbers.append(0)
        continue
      }
      guard let number = number(of: version) else { return false }
      numbers.append(number)
    }
    return true
  }

  private mutating func number(of version: SymbolVersion) -> UInt32? {
    if 2 * (versions.count + 1) > slots.count { grow() }
    let mask = slots.count - 1
    var slot = Int(version.hash) & mask
    while slots[slot] != 0 {
      if versions[Int(slots[slot]) - 1].isSame(as: version) { return slots[slot] }
      slot = (slot + 1) & mask
      budget -= 1
      if budget < 0 { return nil }
    }
    versions.append(version)
    slots[slot] = UInt32(versions.count)
    return slots[slot]
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: slots.count * 2)
    let mask = slots.count - 1
    for (index, version) in versions.enumerated() {
      var slot = Int(version.hash) & mask
      while slots[slot] != 0 {
        slot = (slot + 1) & mask
        budget -= 1
        if budget < 0 { break }
      }
      slots[slot] = UInt32(index + 1)
    }
  }
}
