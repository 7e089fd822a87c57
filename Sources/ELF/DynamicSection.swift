import CKernel

/// The dynamic section (gABI, "Dynamic Section"; GNU additions from glibc's elf.h), read once.
///
/// Addresses are those of the object (d_ptr as in the file), sizes bytes. Tables are not looked into here.
public struct DynamicSection {
  public struct Table: Equatable {
    public var address: UInt64 = 0
    public var size: UInt64 = 0
    public var isPresent: Bool { address != 0 && size != 0 }
  }

  /// Offsets of DT_NEEDED names in the string table, in order.
  public private(set) var needed: [UInt64] = []
  public private(set) var soname: UInt64?
  public private(set) var rpath: UInt64?
  public private(set) var runpath: UInt64?

  public private(set) var strings = Table()
  public private(set) var symbols: UInt64 = 0
  public private(set) var gnuHash: UInt64?
  public private(set) var sysvHash: UInt64?
  public private(set) var versionSymbols: UInt64?
  public private(set) var versionDefinitions: UInt64?
  public private(set) var versionDefinitionCount: UInt64 = 0
  public private(set) var versionNeeds: UInt64?
  public private(set) var versionNeedCount: UInt64 = 0

  public private(set) var rela = Table()
  /// DT_RELACOUNT: how many relative relocations `rela` begins with, as far as the linker tells.
  public private(set) var relativeCount: UInt64 = 0
  public private(set) var relr = Table()
  public private(set) var pltRelocations = Table()
  public private(set) var pltGOT: UInt64?

  public private(set) var initFunction: UInt64?
  public private(set) var finiFunction: UInt64?
  public private(set) var preinitArray = Table()
  public private(set) var initArray = Table()
  public private(set) var finiArray = Table()

  public private(set) var flags: UInt64 = 0
  public private(set) var flags1: UInt64 = 0
  /// Address of the DT_DEBUG entry's value, where a debugger finds r_debug.
  public private(set) var debugEntryAddress: UInt64?

  public var isSymbolic: Bool { flags & UInt64(DF_SYMBOLIC) != 0 }
  public var hasTextRelocations: Bool { flags & UInt64(DF_TEXTREL) != 0 }
  /// Its code reaches thread-local variables at a fixed distance from the thread pointer (initial-exec model).
  public var hasStaticTLS: Bool { flags & UInt64(DF_STATIC_TLS) != 0 }
  public var isExecutable: Bool { flags1 & UInt64(DF_1_PIE) != 0 }
  /// Never unloaded (DF_1_NODELETE); not for dlopen (DF_1_NOOPEN).
  public var staysLoaded: Bool { flags1 & UInt64(DF_1_NODELETE) != 0 }
  public var refusesOpen: Bool { flags1 & UInt64(DF_1_NOOPEN) != 0 }
  public var bindsNow: Bool { flags & UInt64(DF_BIND_NOW) != 0 || flags1 & UInt64(DF_1_NOW) != 0 }

  /// DF_1_NODEFLIB: its needs are not searched in the default directories.
  public var avoidsDefaultDirectories: Bool { flags1 & UInt64(DF_1_NODEFLIB) != 0 }

  /// Reads until DT_NULL; the section must lie in `image`.
  ///
  /// glibc's loader turns pointers in the dynamic section of what it loads into memory addresses, musl's does
  /// not: with `relocatedBy` those that lie behind that load bias are taken back to addresses of the object.
  public init(_ image: Image, at range: AddressRange, relocatedBy bias: UInt64 = 0) throws(ELFError) {
    guard let bytes = image.bytes(at: range.start, count: range.count) else {
      throw ELFError(.dynamicOutside, at: range.start)
    }
    let entrySize = MemoryLayout<Elf64_Dyn>.size
    var index = 0
    while true {
      // d_un is a union: the value is read as the second word.
      guard let tag = bytes.load(Int64.self, at: index * entrySize),
        var value = bytes.load(UInt64.self, at: index * entrySize + 8)
      else { throw ELFError(.dynamicUnterminated, at: range.start + UInt64(index * entrySize)) }
      if tag == Int64(DT_NULL) { break }
      if bias != 0, value >= bias, DynamicSection.holdsAddress(tag) { value -= bias }
      try take(tag, value, at: range.start + UInt64(index * entrySize))
      index += 1
    }
  }

  /// The tags whose values a loader may have relocated in memory (glibc's elf_get_dynamic_info).
  private static func holdsAddress(_ tag: Int64) -> Bool {
    switch tag {
    case Int64(DT_HASH), Int64(DT_GNU_HASH), Int64(DT_PLTGOT), Int64(DT_STRTAB), Int64(DT_SYMTAB), Int64(DT_RELA),
      Int64(DT_RELR), Int64(DT_JMPREL), Int64(DT_VERSYM), Int64(DT_VERDEF), Int64(DT_VERNEED):
      true
    default: false
    }
  }

  private mutating func take(_ tag: Int64, _ value: UInt64, at address: UInt64) throws(ELFError) {
    switch tag {
    case Int64(DT_NEEDED): needed.append(value)
    case Int64(DT_SONAME): soname = value
    case Int64(DT_RPATH): rpath = value
    case Int64(DT_RUNPATH): runpath = value
    case Int64(DT_STRTAB): strings.address = value
    case Int64(DT_STRSZ): strings.size = value
    case Int64(DT_SYMTAB): symbols = value
    case Int64(DT_SYMENT):
      guard value == UInt64(MemoryLayout<Elf64_Sym>.size) else { throw ELFError(.symbolTable, at: address) }
    case Int64(DT_GNU_HASH): gnuHash = value
    case Int64(DT_HASH): sysvHash = value
    case Int64(DT_VERSYM): versionSymbols = value
    case Int64(DT_VERDEF): versionDefinitions = value
    case Int64(DT_VERDEFNUM): versionDefinitionCount = value
    case Int64(DT_VERNEED): versionNeeds = value
    case Int64(DT_VERNEEDNUM): versionNeedCount = value
    case Int64(DT_FLAGS): flags |= value
    case Int64(DT_FLAGS_1): flags1 = value
    case Int64(DT_SYMBOLIC): flags |= UInt64(DF_SYMBOLIC)
    case Int64(DT_TEXTREL): flags |= UInt64(DF_TEXTREL)
    case Int64(DT_BIND_NOW): flags |= UInt64(DF_BIND_NOW)
    case Int64(DT_DEBUG): debugEntryAddress = address + 8
    default: try takeRelocations(tag, value, at: address)
    }
  }

  private mutating func takeRelocations(_ tag: Int64, _ value: UInt64, at address: UInt64) throws(ELFError) {
    switch tag {
    case Int64(DT_RELA): rela.address = value
    case Int64(DT_RELASZ): rela.size = value
    case Int64(DT_RELACOUNT): relativeCount = value
    case Int64(DT_RELAENT):
      guard value == UInt64(MemoryLayout<Elf64_Rela>.size) else { throw ELFError(.relocationTable, at: address) }
    case Int64(DT_RELR): relr.address = value
    case Int64(DT_RELRSZ): relr.size = value
    case Int64(DT_RELRENT):
      guard value == 8 else { throw ELFError(.relocationTable, at: address) }
    case Int64(DT_JMPREL): pltRelocations.address = value
    case Int64(DT_PLTRELSZ): pltRelocations.size = value
    case Int64(DT_PLTREL):
      guard value == UInt64(DT_RELA) else { throw ELFError(.relocationTable, at: address) }
    case Int64(DT_PLTGOT): pltGOT = value
    case Int64(DT_INIT): initFunction = value
    case Int64(DT_FINI): finiFunction = value
    case Int64(DT_PREINIT_ARRAY): preinitArray.address = value
    case Int64(DT_PREINIT_ARRAYSZ): preinitArray.size = value
    case Int64(DT_INIT_ARRAY): initArray.address = value
    case Int64(DT_INIT_ARRAYSZ): initArray.size = value
    case Int64(DT_FINI_ARRAY): finiArray.address = value
    case Int64(DT_FINI_ARRAYSZ): finiArray.size = value
    default: break
    }
  }
}
