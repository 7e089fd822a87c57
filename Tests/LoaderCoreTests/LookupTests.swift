import CKernel
import ELF
import Testing

@testable import LoaderCore

/// Look-ups compared with the plainest one there is, on objects made of random tables: every object in order, every
/// symbol of it in order, names compared byte by byte.
@Suite struct LookupTests {
  /// Symbol by symbol, as the rules say (gABI and GNU additions; glibc's do_lookup), without hash tables.
  static func plain(
    _ objects: [MadeObject], _ name: [UInt8], _ version: String?, excluding: Scope.Exclusion
  ) -> (object: Int, symbol: Int)? {
    for (number, made) in objects.enumerated() {
      let isExecutable = made.object.role == .executable
      if excluding.contains(.executable), isExecutable { continue }
      for (index, symbol) in made.symbols.enumerated() where index > 0 && symbol.name == name {
        guard isDefinition(symbol, isExecutable), satisfies(symbol, version, made) else { continue }
        if excluding.contains(.pltEntries), symbol.section == 0 { break }
        return (number, index)
      }
    }
    return nil
  }

  static func isDefinition(_ symbol: MadeObject.Symbol, _ isExecutable: Bool) -> Bool {
    if symbol.binding == 0 || symbol.visibility == 1 || symbol.visibility == 2 { return false }
    if symbol.section == 0 { return isExecutable && symbol.value != 0 && [2, 10].contains(symbol.type) }
    return [0, 1, 2, 5, 6, 10].contains(symbol.type)
  }

  static func satisfies(_ symbol: MadeObject.Symbol, _ wanted: String?, _ made: MadeObject) -> Bool {
    guard made.hasVersions else { return true }
    let isHidden = symbol.version & 0x8000 != 0
    let index = Int(symbol.version & 0x7fff)
    guard let wanted else { return !isHidden || index <= 2 }
    if index <= 1 { return !isHidden }
    return index - 2 < made.versions.count && made.versions[index - 2] == wanted
  }

  @Test(arguments: 0..<200) func findsWhatAPlainSearchFinds(seed: Int) throws {
    var random = Random(seed: UInt64(seed))
    let objects = try (0..<(1 + random.below(12))).map { number in
      try MadeObject(&random, role: number == 0 && random.below(2) == 0 ? .executable : .library)
    }
    let scope = Scope()
    for made in objects { scope.append(made.object) }
    // With few references some objects do not get into the table, with very few there is none.
    let run = try #require(LookupRun(scope))
    run.makeTable(references: [0, 1, 3, 1000][random.below(4)], least: 1)
    var found = 0
    for _ in 0..<300 {
      let name = MadeObject.name(&random)
      let version = random.below(3) == 0 ? nil : MadeObject.version(&random)
      let excluding: Scope.Exclusion = [[], .executable, .pltEntries][random.below(3)]
      let expected = Self.plain(objects, name, version, excluding: excluding)
      if expected != nil { found += 1 }
      try name.withUnsafeBytes { bytes in
        let wanted = SymbolName(Bytes(bytes))
        let long = version.map { Array($0.utf8) } ?? []
        long.withUnsafeBytes { text in
          let asked = version == nil ? nil : SymbolVersion(named: Bytes(text))
          let result = scope.find(wanted, version: asked, excluding: excluding)
          #expect(result?.index == expected?.symbol)
          let object = result.flatMap { definition in objects.firstIndex { $0.object === definition.object } }
          #expect(object == expected?.object)
        }
        if excluding.contains(.executable) { return }
        // A run knows versions by number, as objects have them.
        for made in objects where made.hasVersions {
          let index = version.flatMap { made.versions.firstIndex(of: $0) }
          if version != nil, index == nil { continue }
          guard let way = Shortcut.Way(run, made.object) else { continue }
          let shortcut = Shortcut(made.object, way, nil, isComplete: true)
          let symbol = made.reference(version: index.map { UInt16($0 + 2) } ?? 1)
          let hit = run.find(
            wanted, version: shortcut.version(of: symbol, on: way), withoutPLT: excluding.contains(.pltEntries))
          #expect(hit?.object == expected?.object && hit?.index == expected?.symbol)
          break
        }
      }
    }
    #expect(objects.count < 4 || found > 0)
  }

  /// Names of all lengths around the steps in which they are read, at all places in a table.
  @Test func hashesNamesInOnePass() {
    var random = Random(seed: 7)
    for length in 0..<70 {
      for place in [0, 1, 7, 8, 30] {
        let name = (0..<length).map { _ in UInt8(1 + random.below(255)) }
        let table = [UInt8](repeating: 65, count: place) + name + [0]
        table.withUnsafeBytes { bytes in
          let found = SymbolName(in: Bytes(bytes), at: UInt64(place))
          #expect(found?.bytes.copy() == name)
          #expect(found?.gnuHash == name.reduce(UInt32(5381)) { $0 &* 33 &+ UInt32($1) })
        }
        table.dropLast().withUnsafeBytes { bytes in
          #expect(SymbolName(in: Bytes(bytes), at: UInt64(place)) == nil, "a name without an end")
        }
      }
    }
  }

  /// A broken file may have all its symbols under one hash; that must not take the square of their number.
  @Test func givesUpOnTablesOfOneHash() throws {
    var random = Random(seed: 1)
    let symbols = (0..<20_000).map { _ in MadeObject.Symbol(name: Array("same".utf8), section: 1, value: 16) }
    let made = try MadeObject(symbols, versions: [], role: .library, usesGNUHash: true, &random)
    let scope = Scope()
    scope.append(made.object)
    let run = try #require(LookupRun(scope))
    run.makeTable(references: 1 << 20)
    #expect(!run.hasTable)
  }

  @Test func holdsWords() {
    var random = Random(seed: 3)
    let words = (0..<5000).map { _ in random.next() } + [0, 1 << 63]
    var set = WordSet()
    #expect(!set.contains(0) && !set.contains(words[0]))
    for word in words + words { set.insert(word) }
    #expect(words.allSatisfy { set.contains($0) })
    #expect((0..<5000).allSatisfy { _ in !set.contains(random.next()) })
  }

  @Test func remembersChoices() {
    var choices = HostChoices()
    #expect(choices.choice(of: 0x1000) == nil)
    for number in 1...500 { choices.note(UInt64(number), of: UInt64(number) * 0x40) }
    choices.note(7, of: 0x40)
    #expect(choices.choice(of: 0x40) == 7)
    for number in 2...500 { #expect(choices.choice(of: UInt64(number) * 0x40) == UInt64(number)) }
    #expect(choices.choice(of: 0x41) == nil && choices.choice(of: 0) == nil)
  }
}

/// The same numbers for the same seed (SplitMix64).
struct Random {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }

  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
