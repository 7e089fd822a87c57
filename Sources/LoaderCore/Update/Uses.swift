import CKernel

/// Questions of the updater about the program.
extension Program {
  /// Whether an object that a DT_NEEDED name stands for is in the process.
  func isLoaded(_ name: Bytes) -> Bool {
    if HostRules.isLoaderName(name) || graph.isExcluded(name) || graph.object(named: name) != nil { return true }
    return hostObjects.contains {
      $0.soname == name || $0.path.lastComponent.withBytes { $0 == name }
    }
  }
}

/// The exports of other objects that anything in the process is bound to, or was handed an address of: collected in
/// one pass, since Bean asks for every export.
struct UsedSymbols {
  /// Hashes of the names alone, for references without a version and for questions without one.
  private var unversioned: Set<UInt64> = []
  private var names: Set<UInt64> = []
  /// Hashes of name and version.
  private var versioned: Set<UInt64> = []

  /// nil: by all objects, of any.
  init(_ program: Program, of shared: SharedObject?) {
    if let shared { unversioned = program.entryStubs.names(of: shared) }
    for object in program.registry.objects where shared == nil || object.identity !== shared {
      collect(from: object)
    }
    for object in program.hostObjects { collect(from: object) }
    collectCopies(of: program.executable)
  }

  /// The variables that the executable has taken over by R_X86_64_COPY.
  init(copiedBy executable: LoadedObject) { collectCopies(of: executable) }

  var isEmpty: Bool { names.isEmpty }

  /// The executable defines such a symbol itself, at its copy.
  private mutating func collectCopies(of executable: LoadedObject) {
    executable.forEachCopy { (relocation, symbol) in
      insert(symbol, at: relocation.symbolIndex, of: executable)
    }
  }

  /// Undefined symbols are not in the hash table: all in front of it are looked at.
  private mutating func collect(from object: LoadedObject) {
    let end = object.gnuHash.map { Int($0.firstSymbol) } ?? Int(object.sysvHash?.chainCount ?? 0)
    for index in 1..<max(1, min(end, object.symbols.limit)) {
      guard let symbol = object.symbols[index], symbol.isUndefined else { continue }
      insert(symbol, at: index, of: object)
    }
  }

  private mutating func insert(_ symbol: Symbol, at index: Int, of object: LoadedObject) {
    guard let name = object.symbols.name(of: symbol) else { return }
    var hash = FNV1a()
    hash.combine(name)
    names.insert(hash.value)
    if let version = object.versions.version(of: index) {
      hash.combine(UInt8(0))
      hash.combine(version.name)
      versioned.insert(hash.value)
    } else {
      unversioned.insert(hash.value)
    }
  }

  /// Versions are compared by name; a reference without one counts for every version.
  func contains(_ name: Bytes, _ version: Bytes) -> Bool {
    var hash = FNV1a()
    hash.combine(name)
    if unversioned.contains(hash.value) { return true }
    if version.count == 0 { return names.contains(hash.value) }
    hash.combine(UInt8(0))
    hash.combine(version)
    return versioned.contains(hash.value)
  }
}

extension LoadedObject {
  /// The object's R_X86_64_COPY relocations, each with its symbol. Only executables have any.
  func forEachCopy(_ body: (Relocation, Symbol) -> Void) {
    guard let table = try? RelocationTable(image, dynamic.rela) else { return }
    for index in 0..<table.count where table[index].type == UInt32(R_X86_64_COPY) {
      guard let symbol = symbols[table[index].symbolIndex] else { continue }
      body(table[index], symbol)
    }
  }
}
