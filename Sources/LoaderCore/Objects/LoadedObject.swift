import CKernel

/// One mapped image: a version of a shared object, the executable, or an object of the host (the C library's
/// family), which the host's loader has mapped and Luci only looks into.
public final class LoadedObject {
  public enum Role { case executable, library, host }

  public let role: Role
  /// The path it was opened by; empty for the executable as in link_map.
  public let path: Path
  /// The last component of the name asked for, DT_SONAME or path: what messages call it.
  public let name: [UInt8]
  /// Difference between addresses in memory and in the object.
  public let bias: UInt64
  public let segments: Segments
  public let image: Image
  public let dynamic: DynamicSection
  public let symbols: SymbolTable
  public let versions: VersionTable
  public let gnuHash: GNUHashTable?
  public let sysvHash: SysVHashTable?
  /// Which file it came from; nil for the host's.
  public let status: FileStatus?

  /// Where the program header table is mapped, and its number of entries.
  public var programHeaders: UInt64 = 0
  public var programHeaderCount: UInt64 = 0

  /// Objects by DT_NEEDED, in order.
  public var dependencies: [LoadedObject] = []
  /// Distance from the start of the merged TLS segment to this object's block; nil without PT_TLS.
  public var tlsOffset: UInt64?
  /// Number of the TLS module of an opened object whose variables are not in the merged segment; 0: none.
  public var tlsModule: UInt64 = 0
  /// The variables are in a block of the host's, `tlsOffset` behind the merged segment modulo 2^64.
  var hostTLS: HostTLSBlock?
  public var hasTLS: Bool { tlsOffset != nil || tlsModule != 0 }
  /// What its TLS descriptors lead to: pairs of module (from 0) and offset in memory of Luci's.
  private var tlsDescriptors: [UInt64] = []
  /// Preceding definitions of its own symbols come first (DT_SYMBOLIC).
  public var isSymbolic: Bool { dynamic.isSymbolic }
  public var isRelocated = false
  /// Directories by DT_RPATH of those that loaded it, the nearest first: they serve for its own needs, too.
  public var inheritedRPath: [Path] = []
  public var constructorsRun = false
  /// Symbols of the opened object and its needs, for objects that dlopen brought without RTLD_GLOBAL.
  public var localScope: Scope?
  /// RTLD_DEEPBIND: the local scope comes before the global one.
  public var prefersLocalScope = false
  /// Handles that dlopen gave out and dlclose did not take back.
  public var openCount = 0
  /// dlopen brought it, and dlclose may take it away.
  public var isOpened = false
  /// It stays until the process ends.
  public var isPinned = false
  /// Destructors run or have run: it is not found any more.
  public var isClosing = false
  /// Opened with RTLD_NOW: missing functions are errors.
  public var bindsNow = false
  /// Opened objects that its relocations lead to.
  public var boundTo: [LoadedObject] = []
  /// For the search of objects that are in use.
  var isMarked = false
  /// Names besides `path` and DT_SONAME by which it was asked for.
  public var aliases: [[UInt8]] = []
  /// Where the number of destructors of threads' variables is that are still to run (Sources/CBoot/gates.c); 0: not
  /// counted, since the object stays anyway.
  public var threadDestructors: UInt64 = 0
  /// Address of the link_map that debuggers, dlinfo and unwinders see.
  public var linkMap: UInt64 = 0
  /// Functions of an outdated version that uprobes look for.
  var changedFunctions: [UInt64] = []
  /// What debuggers find at its path's place (`VersionImage`), a C string; 0: the path itself.
  var imageName: UInt64 = 0
  /// The whole file, for Bean; nil where no update can come.
  public var fileContent: Bytes?
  /// Nothing of its file is mapped any more (`FileRelease`).
  var isFileReleased = false
  /// The copy that it was mapped from, and that `fileContent` lies in; nil: mapped from the file itself.
  public var privateCopy: PrivateCopy?
  /// What Bean knows of this version; made when it is first compared, and kept for the current one only.
  public var binary: Binary?
  /// Which object this is a version of; nil for the executable and the host's.
  public var identity: SharedObject?
  /// The version whose memory holds this one's state; nil: it does so itself.
  public var stateHome: LoadedObject?
  public var stateOwner: LoadedObject { stateHome ?? self }
  /// The way from this version's state to the home of that state; nil for a first version.
  public var binding: StateBinding?
  /// Homes of addresses that code computes from the variable before the one that they are in (the end of an array),
  /// by the address of the displacement in the file.
  public var derivedHomes: [UInt64: UInt64] = [:]

  public init(
    role: Role, path: Path, name: [UInt8], bias: UInt64, segments: Segments, image: Image, status: FileStatus?
  ) throws(ELFError) {
    self.role = role
    self.path = path
    self.name = name
    self.bias = bias
    self.segments = segments
    self.image = image
    self.status = status
    guard let range = segments.dynamic else { throw ELFError(.dynamicOutside, at: 0) }
    dynamic = try DynamicSection(image, at: range, relocatedBy: role == .host ? bias : 0)
    symbols = try SymbolTable(image, dynamic)
    versions = try VersionTable(image, dynamic, symbols)
    if let address = dynamic.gnuHash { gnuHash = try GNUHashTable(image, at: address) } else { gnuHash = nil }
    if let address = dynamic.sysvHash { sysvHash = try SysVHashTable(image, at: address) } else { sysvHash = nil }
  }

  /// Addresses in memory that belong to it.
  public var memoryRange: AddressRange {
    AddressRange(start: bias &+ segments.span.start, count: segments.span.count)
  }

  public func contains(_ address: UInt64) -> Bool { memoryRange.contains(address) }

  /// A pair for the dynamic resolver of TLS descriptors (Sources/CBoot/tls.S).
  func makeTLSDescriptor(module: UInt64, offset: UInt64) -> UInt64 {
    for known in tlsDescriptors where ProcessMemory.load(UInt64.self, at: known + 8) == offset {
      if ProcessMemory.load(UInt64.self, at: known) == module &- TLSModules.firstModule { return known }
    }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
    let pair = UInt64(UInt(bitPattern: memory))
    ProcessMemory.store(module &- TLSModules.firstModule, at: pair)
    ProcessMemory.store(offset, at: pair + 8)
    tlsDescriptors.append(pair)
    return pair
  }

  func freeTLSDescriptors() {
    for pair in tlsDescriptors { ProcessMemory.pointer(pair).deallocate() }
    tlsDescriptors = []
  }

  /// The segment in memory that holds an absolute address.
  public func segment(atMemory address: UInt64) -> LoadSegment? { image.segment(at: address &- bias) }

  var hasThreadDestructors: Bool {
    threadDestructors != 0 && ProcessMemory.load(UInt32.self, at: threadDestructors) != 0
  }

  /// `other` must stay as long as this object.
  func noteBinding(to other: LoadedObject) {
    guard other.isOpened, other !== self, !boundTo.contains(where: { $0 === other }),
      !dependencies.contains(where: { $0 === other })
    else { return }
    boundTo.append(other)
  }

  func isNamed(_ name: Bytes) -> Bool {
    soname == name || path.withBytes { $0 == name }
      || aliases.contains { $0.withUnsafeBytes { Bytes($0) == name } }
  }

  public func needed() throws(LoadError) -> [Bytes] {
    var names: [Bytes] = []
    for offset in dynamic.needed {
      guard let name = symbols.string(at: offset) else {
        throw LoadError(.malformed(ELFError(.stringTable, at: offset)), path)
      }
      names.append(name)
    }
    return names
  }

  public var soname: Bytes? {
    guard let offset = dynamic.soname else { return nil }
    return symbols.string(at: offset)
  }

  /// About how many of its relocations have a symbol.
  var symbolicRelocationCount: Int {
    let entry = UInt64(MemoryLayout<Elf64_Rela>.size)
    let all = dynamic.rela.size / entry &+ dynamic.pltRelocations.size / entry
    return Int(truncatingIfNeeded: all &- min(dynamic.relativeCount, all)) & 0xffff_ffff
  }

  /// What names must pass to be looked for here.
  var filter: BloomFilter { gnuHash?.filter ?? BloomFilter(passing: sysvHash != nil) }

  /// The definition of `name` that satisfies `version`.
  public func definition(of name: SymbolName, version: SymbolVersion?) -> (index: Int, symbol: Symbol)? {
    filter.mayContain(name.gnuHash) ? filteredDefinition(of: name, version: version) : nil
  }

  /// The same for a name that has passed the filter.
  func filteredDefinition(of name: SymbolName, version: SymbolVersion?) -> (index: Int, symbol: Symbol)? {
    var found: (index: Int, symbol: Symbol)?
    func accept(_ index: Int) -> Bool {
      guard let symbol = definition(at: index, of: name, version: version) else { return false }
      found = (index, symbol)
      return true
    }
    if let gnuHash {
      gnuHash.forEachFiltered(name.gnuHash, accept)
    } else if let sysvHash {
      sysvHash.forEachCandidate(name.bytes, accept)
    }
    return found
  }

  /// The symbol at `index`, where it is such a definition.
  @inline(__always)
  func definition(at index: Int, of name: SymbolName, version: SymbolVersion?) -> Symbol? {
    guard let symbol = symbols[index], isDefinition(symbol), symbols.matches(symbol, name.bytes),
      versions.satisfies(index, version)
    else { return nil }
    return symbol
  }

  private func isDefinition(_ symbol: Symbol) -> Bool { symbol.canBeBoundTo(inExecutable: role == .executable) }
}

extension Symbol {
  /// A symbol that can satisfy references from other objects. An undefined function with a value is the
  /// executable's PLT entry standing in for the function's address (psABI, "Function Addresses").
  @inline(__always)
  func canBeBoundTo(inExecutable: Bool) -> Bool {
    if isLocal || visibility == STV_HIDDEN || visibility == STV_INTERNAL { return false }
    if isUndefined { return value != 0 && isFunction && inExecutable }
    switch type {
    case STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC: return true
    default: return false
    }
  }
}
