import CKernel

/// The stand-in: a small ELF image in memory that the host's loader takes for the program (DESIGN, section 2,
/// step 4). It makes that loader bring up the C library, and nothing else, with the program's TLS, constructors
/// and copy relocations.
public struct StandIn {
  /// A variable that the executable copies from the host, at its place in memory.
  public struct CopiedVariable {
    public let name: Bytes
    public let address: UInt64
    public let size: UInt64
  }
  /// A function that host objects find in the stand-in.
  public struct Export {
    public let name: StaticString
    public let address: UInt64
  }

  public struct Contents {
    /// DT_NEEDED: the host objects.
    public var needed: [Path] = []
    /// PT_INTERP: the host's loader.
    public var interpreter = Path("")
    public var stackFlags: UInt32 = 6
    public var tlsSize: UInt64 = 0
    public var tlsAlignment: UInt64 = 1
    public var copies: [CopiedVariable] = []
    public var exports: [Export] = []
    /// The executable's constructors, in memory: glibc ≥ 2.34 runs those of the main map, which is the stand-in.
    public var initFunction: UInt64?
    public var initArray: AddressRange?
    /// DT_RPATH: where the host finds what it opens by itself.
    public var directories: [Path] = []
    /// What the host's exit runs first.
    public var finiFunction: UInt64?

    public init() {}
  }

  /// Start of the image; also its load bias.
  public let base: UInt64
  public let size: UInt64
  public let programHeaderCount: UInt64
  /// The image of the merged TLS segment, from which the C library fills the block of each new thread.
  public let tlsImage: UInt64
  private let debugEntry: UInt64

  public var programHeaders: UInt64 { base }
  /// r_debug of the host's loader; 0 before it ran.
  public var hostDebug: UInt64 { ProcessMemory.load(UInt64.self, at: debugEntry + 8) }

  public init(_ contents: Contents) throws(Errno) {
    var builder = Builder(contents)
    let plan = builder.layOut()
    let memory = try Mapping.anonymous(plan.size + contents.tlsAlignment, .readWrite)
    // The TLS image's address must be congruent to the segment's alignment.
    base = (memory + contents.tlsAlignment - 1) & ~(contents.tlsAlignment - 1)
    size = plan.size
    programHeaderCount = plan.programHeaderCount
    tlsImage = base + plan.tls
    debugEntry = base + builder.write(plan, base: base)
  }
}

extension StandIn {
  /// Offsets of the parts from the image's start.
  struct Plan {
    var programHeaderCount: UInt64 = 6
    var interpreter: UInt64 = 0
    var dynamic: UInt64 = 0
    var dynamicSize: UInt64 = 0
    var symbols: UInt64 = 0
    var hash: UInt64 = 0
    var relocations: UInt64 = 0
    var strings: UInt64 = 0
    var tls: UInt64 = 0
    var size: UInt64 = 0
  }

  struct Builder {
    let contents: Contents
    var strings = Text()
    var neededOffsets: [UInt64] = []
    var directoriesOffset: UInt64 = 0
    var nameOffsets: [UInt64] = []
    static var dynamicEntries: Int { 24 }
    static var headerSize: UInt64 { UInt64(MemoryLayout<Elf64_Phdr>.size) }
    static var symbolSize: UInt64 { UInt64(MemoryLayout<Elf64_Sym>.size) }
    static var relocationSize: UInt64 { UInt64(MemoryLayout<Elf64_Rela>.size) }

    init(_ contents: Contents) { self.contents = contents }

    var symbolCount: UInt64 { 1 + UInt64(contents.copies.count + contents.exports.count) }

    mutating func addString(_ bytes: Bytes) -> UInt64 {
      let offset = UInt64(strings.bytes.count)
      strings.append(bytes)
      strings.append(byte: 0)
      return offset
    }

    private mutating func addDirectories() -> UInt64 {
      let offset = UInt64(strings.bytes.count)
      for (index, directory) in contents.directories.enumerated() {
        if index > 0 { strings.append(byte: 58) }
        directory.write(to: &strings)
      }
      strings.append(byte: 0)
      return offset
    }

    mutating func layOut() -> Plan {
      strings.append(byte: 0)
      neededOffsets = contents.needed.map { path in path.withBytes { addString($0) } }
      if !contents.directories.isEmpty { directoriesOffset = addDirectories() }
      for copy in contents.copies { nameOffsets.append(addString(copy.name)) }
      for export in contents.exports { nameOffsets.append(addString(Bytes(export.name))) }
      var plan = Plan()
      var position = plan.programHeaderCount * Builder.headerSize
      func take(_ size: UInt64, alignment: UInt64 = 8) -> UInt64 {
        let start = (position + alignment - 1) & ~(alignment - 1)
        position = start + size
        return start
      }
      plan.interpreter = take(UInt64(contents.interpreter.count) + 1)
      plan.dynamicSize = UInt64(Builder.dynamicEntries + contents.needed.count) * 16
      plan.dynamic = take(plan.dynamicSize)
      plan.symbols = take(symbolCount * Builder.symbolSize)
      plan.hash = take((2 + symbolCount * 2) * 4)
      plan.relocations = take(UInt64(contents.copies.count) * Builder.relocationSize)
      plan.strings = take(UInt64(strings.bytes.count))
      plan.tls = take(contents.tlsSize, alignment: contents.tlsAlignment)
      plan.size = take(0, alignment: Segments.pageSize)
      return plan
    }

    /// Fills the image in; returns the offset of the DT_DEBUG entry.
    func write(_ plan: Plan, base: UInt64) -> UInt64 {
      writeProgramHeaders(plan, base)
      contents.interpreter.withBytes { put($0, at: base + plan.interpreter) }
      strings.bytes.withUnsafeBytes { put(Bytes($0), at: base + plan.strings) }
      writeSymbols(plan, base)
      return writeDynamic(plan, base)
    }

    private func put(_ bytes: Bytes, at address: UInt64) {
      ProcessMemory.copy(from: bytes.memoryAddress, to: address, count: UInt64(bytes.count))
    }

    private func writeProgramHeaders(_ plan: Plan, _ base: UInt64) {
      var position = base
      func put(_ type: Int32, _ flags: UInt32, _ offset: UInt64, _ size: UInt64, _ alignment: UInt64) {
        var header = Elf64_Phdr()
        header.p_type = UInt32(type)
        header.p_flags = flags
        header.p_offset = offset
        header.p_vaddr = offset
        header.p_paddr = offset
        header.p_filesz = size
        header.p_memsz = size
        header.p_align = alignment
        ProcessMemory.store(header, at: position)
        position += Builder.headerSize
      }
      let readWrite = UInt32(PF_R | PF_W)
      put(PT_PHDR, UInt32(PF_R), 0, plan.programHeaderCount * Builder.headerSize, 8)
      put(PT_INTERP, UInt32(PF_R), plan.interpreter, UInt64(contents.interpreter.count) + 1, 1)
      put(PT_LOAD, readWrite, 0, plan.size, Segments.pageSize)
      put(PT_DYNAMIC, readWrite, plan.dynamic, plan.dynamicSize, 8)
      put(PT_GNU_STACK, contents.stackFlags, 0, 0, 16)
      put(PT_TLS, UInt32(PF_R), plan.tls, contents.tlsSize, contents.tlsAlignment)
    }

    private func writeSymbols(_ plan: Plan, _ base: UInt64) {
      var index: UInt64 = 1
      func put(_ type: Int32, _ value: UInt64, _ size: UInt64) {
        var symbol = Elf64_Sym()
        symbol.st_name = UInt32(nameOffsets[Int(index) - 1])
        symbol.st_info = UInt8(STB_GLOBAL) << 4 | UInt8(type)
        // Any section but SHN_ABS, whose symbols glibc does not move by the load bias, and musl does.
        symbol.st_shndx = 1
        symbol.st_value = value &- base
        symbol.st_size = size
        ProcessMemory.store(symbol, at: base + plan.symbols + index * Builder.symbolSize)
        index += 1
      }
      for (number, copy) in contents.copies.enumerated() {
        var relocation = Elf64_Rela()
        relocation.r_offset = copy.address &- base
        relocation.r_info = index << 32 | UInt64(R_X86_64_COPY)
        ProcessMemory.store(relocation, at: base + plan.relocations + UInt64(number) * Builder.relocationSize)
        put(STT_OBJECT, copy.address, copy.size)
      }
      for export in contents.exports { put(STT_FUNC, export.address, 1) }
      writeHash(plan, base)
    }

    /// DT_HASH: as many buckets as symbols.
    private func writeHash(_ plan: Plan, _ base: UInt64) {
      let table = base + plan.hash
      let count = UInt32(symbolCount)
      ProcessMemory.store(count, at: table)
      ProcessMemory.store(count, at: table + 4)
      for index in 1..<max(count, 1) {
        let name = strings.bytes.withUnsafeBytes {
          Bytes($0).cString(at: nameOffsets[Int(index) - 1]).map { SymbolName.sysvHash($0) } ?? 0
        }
        let bucket = table + 8 + UInt64(name % count) * 4
        let chain = table + 8 + UInt64(count) * 4 + UInt64(index) * 4
        ProcessMemory.store(ProcessMemory.load(UInt32.self, at: bucket), at: chain)
        ProcessMemory.store(index, at: bucket)
      }
    }

    private func writeDynamic(_ plan: Plan, _ base: UInt64) -> UInt64 {
      var position = base + plan.dynamic
      func put(_ tag: Int32, _ value: UInt64) {
        ProcessMemory.store(Int64(tag), at: position)
        ProcessMemory.store(value, at: position + 8)
        position += 16
      }
      for offset in neededOffsets { put(DT_NEEDED, offset) }
      if directoriesOffset != 0 { put(DT_RPATH, directoriesOffset) }
      put(DT_HASH, plan.hash)
      put(DT_STRTAB, plan.strings)
      put(DT_STRSZ, UInt64(strings.bytes.count))
      put(DT_SYMTAB, plan.symbols)
      put(DT_SYMENT, Builder.symbolSize)
      if !contents.copies.isEmpty {
        put(DT_RELA, plan.relocations)
        put(DT_RELASZ, UInt64(contents.copies.count) * Builder.relocationSize)
        put(DT_RELAENT, Builder.relocationSize)
      }
      if let function = contents.initFunction { put(DT_INIT, function &- base) }
      if let array = contents.initArray {
        put(DT_INIT_ARRAY, array.start &- base)
        put(DT_INIT_ARRAYSZ, array.count)
      }
      if let function = contents.finiFunction { put(DT_FINI, function &- base) }
      let debug = position - base
      put(DT_DEBUG, 0)
      put(DT_NULL, 0)
      return debug
    }
  }
}
