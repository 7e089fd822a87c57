import CKernel

/// What the relocation of one object needs from the process around it.
public protocol RelocationContext {
  /// The definition that a reference from `object` binds to.
  func definition(
    of name: SymbolName, version: SymbolVersion?, from object: LoadedObject, excluding: Scope.Exclusion
  ) -> Definition?
  /// The definition of a unique symbol (STB_GNU_UNIQUE) that the whole process uses.
  func uniqueDefinition(_ found: Definition, _ name: Bytes) -> Definition
  /// Luci's own function that programs are bound to in place of the C library's (DESIGN, section 4).
  func interposer(for name: Bytes) -> UInt64?
  /// The function that an ifunc resolver of the host chooses; nil where it can't be called now.
  func resolveHostFunction(at resolver: UInt64) -> UInt64?
  /// Made ready for the look-ups in the program's scope, where many come in a row.
  var lookupRun: LookupRun? { get }
  /// Nothing is looked up anywhere but there and in an object's local scope.
  var lookupRunIsComplete: Bool { get }
  /// Distance from the thread pointer to offset 0 of the merged TLS segment (negative, as an unsigned word).
  var tlsBase: UInt64 { get }
  /// Entry of the static TLS descriptor resolver.
  var tlsDescriptorResolver: UInt64 { get }
  /// Entry of the resolver for variables of Luci's own TLS modules.
  var dynamicTLSDescriptorResolver: UInt64 { get }
  /// LD_BIND_NOT: where calls through the PLT of lazily linked objects go, with GOT[1] and the relocation's index on
  /// the stack; nil: they are bound now.
  var lookUpAtEachCall: UInt64? { get }
  /// Where calls of functions that do not exist end; nil: a missing function is an error at once.
  var missingFunctionHandler: UInt64? { get }
}

extension RelocationContext {
  public var lookupRun: LookupRun? { nil }
  public var lookupRunIsComplete: Bool { false }
  public var lookUpAtEachCall: UInt64? { nil }
}

/// Work that must wait until every object is relocated.
public struct DeferredRelocations {
  public struct Copy {
    public let source: UInt64
    public let target: UInt64
    public let count: UInt64
  }
  public struct Indirect {
    /// The word to fill, and the resolver whose result it gets, plus an addend.
    public let slot: UInt64
    public let resolver: UInt64
    public let addend: UInt64
  }
  public var copies: [Copy] = []
  public var indirect: [Indirect] = []

  public init() {}
}

/// Applies the relocations of one mapped object (psABI x86-64, "Relocation Types").
///
/// Every field is checked to lie in a writable segment (any segment with DT_TEXTREL); the object's pages must be
/// writable when this runs. Nothing outside the object is written: copies and ifuncs are collected.
public struct Relocator<Context: RelocationContext> {
  let object: LoadedObject
  let context: Context
  public var deferred = DeferredRelocations()
  /// An indirect function of the host could not be resolved: its slots hold 0.
  public internal(set) var lacksHostFunction = false
  var lastSymbolIndex = -1
  var lastResult: Resolution?
  /// Tables of the object, at hand.
  let symbols: SymbolTable
  private let bias: UInt64
  /// The writable segment that the last field was in: its address and how far behind that a word may begin.
  private var segmentStart: UInt64 = 0
  private var segmentReach: UInt64 = 0
  let shortcut: Shortcut?

  /// What a relocation's symbol stands for.
  struct Resolution {
    /// S, or 0 for an undefined weak symbol.
    var address: UInt64 = 0
    var size: UInt64 = 0
    /// The definition; nil for none, and for index 0.
    var definition: Definition?
    /// `address` is a resolver to be called.
    var isIndirect = false
  }

  public init(_ object: LoadedObject, _ context: Context) {
    self.object = object
    self.context = context
    symbols = object.symbols
    bias = object.bias
    shortcut = Relocator.shortcut(for: object, context)
  }

  public mutating func relocate() throws(LoadError) {
    do throws(ELFError) {
      let bias = bias
      let binding = object.binding
      let relative = try RelativeRelocationTable(object.image, object.dynamic.relr)
      try relative.forEachOffset { (offset) throws(ELFError) in
        let place = try self.word(at: offset)
        let value = ProcessMemory.load(UInt64.self, at: place) &+ bias
        ProcessMemory.store(binding?.home(of: value) ?? value, at: place)
      }
    } catch {
      throw LoadError(.malformed(error), object.path)
    }
    try apply(object.dynamic.rela, isPLT: false)
    try apply(object.dynamic.pltRelocations, isPLT: true)
  }

  private mutating func apply(_ place: DynamicSection.Table, isPLT: Bool) throws(LoadError) {
    let table: RelocationTable
    do throws(ELFError) { table = try RelocationTable(object.image, place) } catch {
      throw LoadError(.malformed(error), object.path)
    }
    let bias = bias
    let binding = object.binding
    if !isPLT { prepareRelative(table) }
    shortcut?.ahead.restart()
    for index in 0..<table.count {
      let relocation = table[index]
      if relocation.type == UInt32(R_X86_64_RELATIVE) {
        let field = try place8(relocation)
        let value = bias &+ UInt64(bitPattern: relocation.addend)
        ProcessMemory.store(binding?.home(of: value) ?? value, at: field)
      } else if relocation.type != UInt32(R_X86_64_NONE) {
        shortcut?.ahead.read(table, index)
        if try !applyShort(relocation) { try apply(relocation, index: index, isPLT: isPLT) }
      }
    }
  }

  /// The three types that nearly all relocations with symbols have, where the short way knows the address.
  @inline(__always)
  private mutating func applyShort(_ relocation: Relocation) throws(LoadError) -> Bool {
    let type = Int32(truncatingIfNeeded: relocation.type)
    guard type == R_X86_64_GLOB_DAT || type == R_X86_64_JUMP_SLOT || type == R_X86_64_64,
      let address = address(of: relocation, withoutPLT: type == R_X86_64_JUMP_SLOT)
    else { return false }
    let addend = type == R_X86_64_64 ? UInt64(bitPattern: relocation.addend) : 0
    ProcessMemory.store(address &+ addend, at: try place8(relocation))
    return true
  }

  /// Relative relocations come first and ascend: where they fill their pages well, these are made writable in one go.
  private func prepareRelative(_ table: RelocationTable) {
    let count = Int(min(object.dynamic.relativeCount, UInt64(table.count)))
    guard count > 64 else { return }
    let mask = Segments.pageSize - 1
    let first = table[0].offset & ~mask
    let last = table[count - 1].offset & ~mask
    guard last > first, let load = object.image.segment(at: table[0].offset), load.isWritable, load.contains(last),
      (last - first) / Segments.pageSize < UInt64(count) / 8
    else { return }
    Mapping.populateForWriting(bias &+ first, last - first + Segments.pageSize)
  }

  /// Address in memory of a field of `size` bytes that may be written.
  private func field(at offset: UInt64, size: UInt64) throws(ELFError) -> UInt64 {
    for load in object.segments.loads where load.contains(offset) {
      guard load.memorySize - (offset - load.address) >= size, load.isWritable || object.dynamic.hasTextRelocations
      else { break }
      return object.bias &+ offset
    }
    throw ELFError(.relocationEntry, at: offset)
  }

  /// The same for a word, most often in the same segment as the one before.
  @inline(__always)
  private mutating func word(at offset: UInt64) throws(ELFError) -> UInt64 {
    if offset &- segmentStart < segmentReach { return bias &+ offset }
    let result = try field(at: offset, size: 8)
    if let load = object.image.segment(at: offset) {
      segmentStart = load.address
      segmentReach = load.memorySize &- 7
    }
    return result
  }

  func place(_ relocation: Relocation, size: UInt64) throws(LoadError) -> UInt64 {
    do throws(ELFError) { return try field(at: relocation.offset, size: size) } catch {
      throw LoadError(.malformed(error), object.path)
    }
  }

  @inline(__always)
  private mutating func place8(_ relocation: Relocation) throws(LoadError) -> UInt64 {
    do throws(ELFError) { return try word(at: relocation.offset) } catch {
      throw LoadError(.malformed(error), object.path)
    }
  }

  private mutating func apply(_ relocation: Relocation, index: Int, isPLT: Bool) throws(LoadError) {
    let addend = UInt64(bitPattern: relocation.addend)
    switch Int32(truncatingIfNeeded: relocation.type) {
    case R_X86_64_GLOB_DAT: try storeSymbol(relocation, addend: 0)
    case R_X86_64_64: try storeSymbol(relocation, addend: addend)
    case R_X86_64_JUMP_SLOT: try storeJumpSlot(relocation, index: index)
    case R_X86_64_IRELATIVE:
      let slot = try place8(relocation)
      deferred.indirect.append(.init(slot: slot, resolver: object.bias &+ addend, addend: 0))
    case R_X86_64_COPY: try copy(relocation)
    case R_X86_64_DTPMOD64, R_X86_64_DTPOFF64, R_X86_64_TPOFF64, R_X86_64_TLSDESC, R_X86_64_TPOFF32,
      R_X86_64_DTPOFF32:
      try applyTLS(relocation)
    case R_X86_64_32, R_X86_64_32S, R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_PC64, R_X86_64_SIZE32,
      R_X86_64_SIZE64, R_X86_64_RELATIVE64:
      try applyUncommon(relocation)
    default: throw LoadError(.unsupportedRelocation(relocation.type), object.path, position: relocation.offset)
    }
  }

  private mutating func storeSymbol(_ relocation: Relocation, addend: UInt64) throws(LoadError) {
    let slot = try place8(relocation)
    let target = try resolve(relocation, excluding: [])
    if target.isIndirect {
      deferred.indirect.append(.init(slot: slot, resolver: target.address, addend: addend))
    } else {
      ProcessMemory.store(target.address &+ addend, at: slot)
    }
  }

  private mutating func storeJumpSlot(_ relocation: Relocation, index: Int) throws(LoadError) {
    let slot = try place8(relocation)
    if let resolver = context.lookUpAtEachCall, leavesToPLT(slot, resolver) { return }
    if let handler = context.missingFunctionHandler, !object.dynamic.bindsNow, !object.bindsNow {
      // A lazily bound program may lack functions that it never calls: the slot then stays with its PLT entry,
      // which leads through GOT[2] to the handler, with GOT[1] and the relocation's index on the stack.
      guard let target = try? resolve(relocation, excluding: .pltEntries) else {
        if !leavesToPLT(slot, handler) { _ = try resolve(relocation, excluding: .pltEntries) }
        return
      }
      store(target, at: slot)
      return
    }
    store(try resolve(relocation, excluding: .pltEntries), at: slot)
  }

  /// The slot leads back into the PLT, whose first entry goes to `handler`.
  private func leavesToPLT(_ slot: UInt64, _ handler: UInt64) -> Bool {
    guard !object.dynamic.bindsNow, !object.bindsNow, let got = object.dynamic.pltGOT,
      let first = try? field(at: got, size: 24)
    else { return false }
    let lazy = ProcessMemory.load(UInt64.self, at: slot)
    ProcessMemory.store(lazy &+ object.bias, at: slot)
    ProcessMemory.store(object.linkMap, at: first + 8)
    ProcessMemory.store(handler, at: first + 16)
    return true
  }

  private mutating func store(_ target: Resolution, at slot: UInt64) {
    if target.isIndirect {
      deferred.indirect.append(.init(slot: slot, resolver: target.address, addend: 0))
    } else {
      ProcessMemory.store(target.address, at: slot)
    }
  }

  private mutating func copy(_ relocation: Relocation) throws(LoadError) {
    let symbol = try self.symbol(relocation)
    let target = try resolve(relocation, excluding: .executable)
    // The host copied what it defines, when it relocated the stand-in.
    guard let definition = target.definition, definition.object.role != .host else { return }
    let count = min(symbol.size, target.size)
    deferred.copies.append(
      .init(source: target.address, target: try place(relocation, size: count), count: count))
  }

  /// The types that linkers emit for text relocations and odd data.
  private mutating func applyUncommon(_ relocation: Relocation) throws(LoadError) {
    let addend = UInt64(bitPattern: relocation.addend)
    let isWide =
      relocation.type == UInt32(R_X86_64_PC64) || relocation.type == UInt32(R_X86_64_SIZE64)
      || relocation.type == UInt32(R_X86_64_RELATIVE64)
    let field = try place(relocation, size: isWide ? 8 : 4)
    let target = try resolve(relocation, excluding: [])
    let value: UInt64
    switch Int32(truncatingIfNeeded: relocation.type) {
    case R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_PC64: value = target.address &+ addend &- field
    case R_X86_64_SIZE32, R_X86_64_SIZE64: value = target.size &+ addend
    case R_X86_64_RELATIVE64: value = object.bias &+ addend
    default: value = target.address &+ addend
    }
    if isWide {
      ProcessMemory.store(value, at: field)
      return
    }
    let signed = Int64(bitPattern: value)
    let isUnsigned = relocation.type == UInt32(R_X86_64_32) || relocation.type == UInt32(R_X86_64_SIZE32)
    guard isUnsigned ? value <= UInt64(UInt32.max) : signed == Int64(Int32(truncatingIfNeeded: signed)) else {
      throw LoadError(.relocationOverflow, object.path, position: relocation.offset)
    }
    ProcessMemory.store(UInt32(truncatingIfNeeded: value), at: field)
  }
}
