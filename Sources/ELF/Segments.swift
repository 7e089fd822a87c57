import CKernel

/// A loadable segment and where its bytes are found in a reader's `Bytes`.
public struct LoadSegment {
  /// Address in the object (p_vaddr) and size in memory.
  public let address: UInt64
  public let memorySize: UInt64
  /// p_offset and p_filesz.
  public let fileOffset: UInt64
  public let fileSize: UInt64
  public let flags: UInt32

  public var isWritable: Bool { flags & UInt32(PF_W) != 0 }
  public var isExecutable: Bool { flags & UInt32(PF_X) != 0 }
  public var isReadable: Bool { flags & UInt32(PF_R) != 0 }
  public var end: UInt64 { address + memorySize }

  public func contains(_ other: UInt64) -> Bool { other >= address && other - address < memorySize }
}

/// A range of addresses of an object: [start, end).
public struct AddressRange: Equatable, Sendable {
  public var start: UInt64
  public var end: UInt64

  public init(start: UInt64, end: UInt64) {
    self.start = start
    self.end = max(start, end)
  }
  public init(start: UInt64, count: UInt64) {
    self.init(start: start, end: start &+ count)
  }

  public var count: UInt64 { end - start }
  public var isEmpty: Bool { end == start }
  public func contains(_ address: UInt64) -> Bool { address >= start && address < end }
  public func contains(_ other: AddressRange) -> Bool { other.start >= start && other.end <= end }
  public func overlaps(_ other: AddressRange) -> Bool { start < other.end && other.start < end }
}

/// PT_TLS: the initial image and the size of an object's thread-local block.
public struct TLSSegment {
  public let address: UInt64
  public let fileOffset: UInt64
  public let fileSize: UInt64
  public let memorySize: UInt64
  /// A power of two, at least 1.
  public let alignment: UInt64

  public init(address: UInt64, fileOffset: UInt64, fileSize: UInt64, memorySize: UInt64, alignment: UInt64) {
    self.address = address
    self.fileOffset = fileOffset
    self.fileSize = fileSize
    self.memorySize = memorySize
    self.alignment = alignment
  }
}

/// The program header table (gABI, "Program Header"), checked as a whole: loadable segments ascend, do not
/// overlap, lie inside the file and fit into the address space. What passed needs no checks at each use.
public struct Segments {
  public static var pageSize: UInt64 { 4096 }
  /// The most memory that one object may span; more is a broken file, or a hostile one.
  static var maximumSpan: UInt64 { 1 << 40 }

  public private(set) var loads: [LoadSegment] = []
  public private(set) var dynamic: AddressRange?
  /// Offset of PT_DYNAMIC in the file.
  public private(set) var dynamicOffset: UInt64 = 0
  /// Offset and size of PT_INTERP in the file.
  public private(set) var interpreter: AddressRange?
  public private(set) var tls: TLSSegment?
  public private(set) var relro: AddressRange?
  /// p_flags of PT_GNU_STACK; nil: no such header, which means an executable stack.
  public private(set) var stackFlags: UInt32?
  public private(set) var ehFrameHeader: AddressRange?
  /// Address of the program headers in memory, from PT_PHDR or the segment that holds them.
  public private(set) var programHeadersAddress: UInt64?
  public private(set) var notes: [AddressRange] = []
  /// The largest alignment that a loadable segment asks for, at least a page.
  public private(set) var alignment: UInt64 = Segments.pageSize

  /// From a file: the table lies in it, and segments must too.
  public init(_ file: Bytes, _ header: FileHeader) throws(ELFError) {
    let size = UInt64(header.programHeaderCount * MemoryLayout<Elf64_Phdr>.size)
    guard let table = file.slice(at: header.programHeaderOffset, count: size) else {
      throw ELFError(.programHeadersOutside, at: header.programHeaderOffset)
    }
    try self.init(table: table, header, fileSize: UInt64(file.count))
  }

  /// From a table that was read from a file of `fileSize` bytes with that header.
  public init(table: Bytes, _ header: FileHeader, fileSize: UInt64) throws(ELFError) {
    try self.init(table: table, at: header.programHeaderOffset, fileSize: fileSize)
    let size = UInt64(table.count)
    if programHeadersAddress == nil {
      for load in loads
      where load.fileOffset <= header.programHeaderOffset
        && header.programHeaderOffset + size <= load.fileOffset + load.fileSize
      {
        programHeadersAddress = load.address + (header.programHeaderOffset - load.fileOffset)
      }
    }
  }

  /// From a table alone, as the kernel (AT_PHDR) or another loader hands it over for what is mapped already.
  /// `position` is the table's offset for messages, `fileSize` what segments must not exceed.
  public init(table: Bytes, at position: UInt64, fileSize: UInt64) throws(ELFError) {
    let entrySize = MemoryLayout<Elf64_Phdr>.size
    for index in 0..<table.count / entrySize {
      guard let entry = table.load(Elf64_Phdr.self, at: index * entrySize) else { break }
      try add(entry, fileSize: fileSize, at: position &+ UInt64(index * entrySize))
    }
    guard let first = loads.first, let last = loads.last else { throw ELFError(.noLoadableSegment, at: position) }
    guard last.end - first.address <= Segments.maximumSpan else { throw ELFError(.segmentTooLarge, at: position) }
    try checkNested(at: position)
  }

  private mutating func add(_ entry: Elf64_Phdr, fileSize: UInt64, at position: UInt64) throws(ELFError) {
    let range = AddressRange(start: entry.p_vaddr, count: min(entry.p_memsz, UInt64.max - entry.p_vaddr))
    switch entry.p_type {
    case UInt32(PT_LOAD):
      try addLoad(entry, fileSize: fileSize, at: position)
    case UInt32(PT_DYNAMIC):
      dynamic = range
      dynamicOffset = entry.p_offset
    case UInt32(PT_INTERP):
      guard entry.p_offset <= fileSize, entry.p_filesz <= fileSize - entry.p_offset else {
        throw ELFError(.segmentOutsideFile, at: position)
      }
      interpreter = AddressRange(start: entry.p_offset, count: entry.p_filesz)
    case UInt32(PT_TLS):
      let alignment = max(entry.p_align, 1)
      guard alignment & (alignment - 1) == 0, alignment <= 1 << 20, entry.p_filesz <= entry.p_memsz,
        entry.p_memsz <= 1 << 32
      else { throw ELFError(.tlsSegment, at: position) }
      tls = TLSSegment(
        address: entry.p_vaddr, fileOffset: entry.p_offset, fileSize: entry.p_filesz,
        memorySize: entry.p_memsz, alignment: alignment)
    case UInt32(PT_GNU_RELRO): relro = range
    case UInt32(PT_GNU_STACK): stackFlags = entry.p_flags
    case UInt32(PT_GNU_EH_FRAME): ehFrameHeader = range
    case UInt32(PT_PHDR): programHeadersAddress = entry.p_vaddr
    case UInt32(PT_NOTE): notes.append(range)
    default: break
    }
  }

  private mutating func addLoad(_ entry: Elf64_Phdr, fileSize: UInt64, at position: UInt64) throws(ELFError) {
    if entry.p_memsz == 0 { return }
    guard entry.p_filesz <= entry.p_memsz else { throw ELFError(.segmentSizes, at: position) }
    guard entry.p_offset <= fileSize, entry.p_filesz <= fileSize - entry.p_offset else {
      throw ELFError(.segmentOutsideFile, at: position)
    }
    guard entry.p_vaddr < 1 << 47, entry.p_memsz < 1 << 47 else { throw ELFError(.segmentTooLarge, at: position) }
    guard (entry.p_vaddr ^ entry.p_offset) & (Segments.pageSize - 1) == 0,
      entry.p_align & (entry.p_align &- 1) == 0, entry.p_align <= 1 << 30
    else { throw ELFError(.segmentAlignment, at: position) }
    if let previous = loads.last {
      // Pages count, not bytes: two segments in one page could not have protections of their own.
      let previousEnd = (previous.end + Segments.pageSize - 1) & ~(Segments.pageSize - 1)
      guard entry.p_vaddr & ~(Segments.pageSize - 1) >= previousEnd else {
        throw ELFError(.segmentOrder, at: position)
      }
    }
    alignment = max(alignment, entry.p_align)
    loads.append(
      LoadSegment(
        address: entry.p_vaddr, memorySize: entry.p_memsz, fileOffset: entry.p_offset,
        fileSize: entry.p_filesz, flags: entry.p_flags))
  }

  /// Segments that describe parts of loadable ones must lie inside them.
  private mutating func checkNested(at position: UInt64) throws(ELFError) {
    if let range = dynamic, !covers(range) { throw ELFError(.dynamicOutside, at: dynamicOffset) }
    if let range = relro, !coversLoosely(range) { relro = nil }
    if let block = tls, block.fileSize > 0 {
      let image = AddressRange(start: block.address, count: block.fileSize)
      guard covers(image) else { throw ELFError(.tlsSegment, at: position) }
    }
    if let range = ehFrameHeader, !covers(range) { ehFrameHeader = nil }
    notes = notes.filter { covers($0) }
  }

  /// Lies inside one loadable segment.
  public func covers(_ range: AddressRange) -> Bool {
    loads.contains { range.start >= $0.address && range.end <= $0.end }
  }

  /// RELRO may be rounded up to the end of its last page.
  private func coversLoosely(_ range: AddressRange) -> Bool {
    loads.contains {
      let end = ($0.end + Segments.pageSize - 1) & ~(Segments.pageSize - 1)
      return range.start >= $0.address && range.end <= end
    }
  }

  /// No page lies between the segments, and the first, which is not writable, is wholly in the file.
  public var isDense: Bool {
    guard let first = loads.first, !first.isWritable, first.fileSize == first.memorySize else { return false }
    let mask = Segments.pageSize - 1
    var end = first.address & ~mask
    for load in loads {
      guard load.address & ~mask == end else { return false }
      end = (load.end + mask) & ~mask
    }
    return true
  }

  /// Lowest address, rounded down to a page, to the highest, rounded up.
  public var span: AddressRange {
    guard let first = loads.first, let last = loads.last else { return AddressRange(start: 0, end: 0) }
    let mask = Segments.pageSize - 1
    return AddressRange(start: first.address & ~mask, end: (last.end + mask) & ~mask)
  }
}
