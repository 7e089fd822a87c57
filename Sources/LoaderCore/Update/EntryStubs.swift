import CKernel

/// What dlsym returns for functions of objects that may be updated: a jump through a word of Luci's, so that the
/// pointer a program keeps goes on leading to the current version (DESIGN, section 4).
public final class EntryStubs {
  private struct Stub {
    let shared: SharedObject
    let name: [UInt8]
    let version: SymbolVersion?
    let entry: UInt64
    let slot: UInt64
  }

  private var stubs: [Stub] = []
  /// A page of jumps with the page of their words behind it.
  private var page: UInt64 = 0
  private var used: UInt64 = 0

  static var stubSize: UInt64 { 16 }
  static var stubsPerPage: UInt64 { Segments.pageSize / stubSize }

  public init() {}

  /// Hashes of the names of functions whose address some object has in a word of its own: the program may compare
  /// it with what dlsym returns.
  private var exposed = WordSet()
  private var examined = 0
  /// Stubs of objects that are gone.
  private var unused: [(entry: UInt64, slot: UInt64)] = []
  /// Names of all that was ever handed out, by a stub or not.
  private var handedOut: Set<UInt64> = []

  func noteHandedOut(_ name: Bytes) { handedOut.insert(FNV1a.hash(name)) }

  func wasHandedOut(_ name: Bytes) -> Bool { handedOut.contains(FNV1a.hash(name)) }

  /// Whether an address of the function other than a stub's is about. Every object is looked through once.
  func isExposed(_ name: Bytes, among objects: [LoadedObject]) -> Bool {
    while examined < objects.count {
      noteExposed(by: objects[examined])
      examined += 1
    }
    return exposed.contains(FNV1a.hash(name))
  }

  private func noteExposed(by object: LoadedObject) {
    guard let table = try? RelocationTable(object.image, object.dynamic.rela) else { return }
    var last = 0
    for index in Int(min(object.dynamic.relativeCount, UInt64(table.count)))..<table.count {
      let relocation = table[index]
      guard relocation.type == UInt32(R_X86_64_GLOB_DAT) || relocation.type == UInt32(R_X86_64_64),
        relocation.symbolIndex != last, let symbol = object.symbols[relocation.symbolIndex],
        let name = object.symbols.name(of: symbol)
      else { continue }
      last = relocation.symbolIndex
      exposed.insert(FNV1a.hash(name))
    }
  }

  /// Objects are taken out of the process: their stubs are used for others.
  func forget(_ objects: [LoadedObject], among all: [LoadedObject]) {
    let isGone = { (object: LoadedObject) in objects.contains { $0 === object } }
    examined -= all[..<min(examined, all.count)].filter(isGone).count
    let gone = stubs.filter { stub in objects.contains { $0.identity === stub.shared } }
    if gone.isEmpty { return }
    unused += gone.map { ($0.entry, $0.slot) }
    stubs.removeAll { stub in gone.contains { $0.entry == stub.entry } }
  }

  /// The stub for a function, made at first; nil without memory.
  func entry(for found: Definition, of shared: SharedObject, name: Bytes, version: SymbolVersion?) -> UInt64? {
    for stub in stubs where stub.shared === shared && ProcessMemory.load(UInt64.self, at: stub.slot) == found.address
    {
      if stub.name.withUnsafeBytes({ Bytes($0) == name }) { return stub.entry }
    }
    if let (entry, slot) = unused.popLast() {
      ProcessMemory.storeAtomically(found.address, at: slot)
      stubs.append(Stub(shared: shared, name: name.copy(), version: version, entry: entry, slot: slot))
      return entry
    }
    if page == 0 || used == EntryStubs.stubsPerPage {
      guard let fresh = EntryStubs.makePage() else { return nil }
      page = fresh
      used = 0
    }
    let entry = page + used * EntryStubs.stubSize
    let slot = page + Segments.pageSize + used * 8
    used += 1
    ProcessMemory.storeAtomically(found.address, at: slot)
    stubs.append(Stub(shared: shared, name: name.copy(), version: version, entry: entry, slot: slot))
    return entry
  }

  /// All jumps of a page are written before it becomes executable.
  private static func makePage() -> UInt64? {
    guard let page = try? Mapping.anonymous(2 * Segments.pageSize, .readWrite) else { return nil }
    for index in 0..<stubsPerPage {
      let entry = page + index * stubSize
      let slot = page + Segments.pageSize + index * 8
      // jmp *displacement(%rip), 6 bytes, then int3.
      ProcessMemory.store(UInt64(0xcccc_cccc_cccc_cccc), at: entry)
      ProcessMemory.store(UInt64(0xcccc_cccc_cccc_cccc), at: entry + 8)
      ProcessMemory.store(UInt16(0x25ff), at: entry)
      ProcessMemory.store(UInt32(truncatingIfNeeded: slot - (entry + 6)), at: entry + 2)
    }
    guard (try? Mapping.protect(page, Segments.pageSize, [.read, .execute])) != nil else { return nil }
    return page
  }

  /// Leads the stubs of an object's functions to its newer version.
  func follow(_ pair: NewVersion) {
    for stub in stubs where stub.shared === pair.shared {
      guard let function = EntryStubs.function(of: stub, in: pair.object) else { continue }
      ProcessMemory.storeAtomically(function, at: stub.slot)
    }
  }

  /// The words of an object's stubs, with what they hold and what they will.
  func words(of pair: NewVersion) -> [(slot: UInt64, old: UInt64, new: UInt64)] {
    var result: [(slot: UInt64, old: UInt64, new: UInt64)] = []
    for stub in stubs where stub.shared === pair.shared {
      guard let new = EntryStubs.function(of: stub, in: pair.object) else { continue }
      result.append((stub.slot, ProcessMemory.load(UInt64.self, at: stub.slot), new))
    }
    return result
  }

  private static func function(of stub: Stub, in object: LoadedObject) -> UInt64? {
    let found = stub.name.withUnsafeBytes { object.definition(of: SymbolName(Bytes($0)), version: stub.version) }
    guard let found, found.symbol.isFunction, !found.symbol.isIFunc else { return nil }
    return object.bias &+ found.symbol.value
  }

  /// Hashes of the names of an object's functions that were handed out.
  func names(of shared: SharedObject) -> Set<UInt64> {
    var result: Set<UInt64> = []
    for stub in stubs where stub.shared === shared {
      stub.name.withUnsafeBytes { _ = result.insert(FNV1a.hash(Bytes($0))) }
    }
    return result
  }

  /// The function behind a stub's address, for dladdr.
  func target(of address: UInt64) -> UInt64? {
    for stub in stubs where stub.entry == address { return ProcessMemory.load(UInt64.self, at: stub.slot) }
    return nil
  }
}
