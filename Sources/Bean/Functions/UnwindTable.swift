/// .eh_frame: which ranges of code the compiler knew as functions, and what their exception tables point to
/// (LSB Core, "Exception Frames"). Found through PT_GNU_EH_FRAME, as the unwinder of a running program finds it.
public struct UnwindTable {
  /// One FDE: a function, or the cold part of one.
  public struct Entry {
    public let range: AddressRange
    /// The function's exception table (LSDA); nil where it has none.
    public let lsda: UInt64?
    /// Augmentation S: the frame of a signal handler's return.
    public let isSignalFrame: Bool
  }

  /// A relative pointer of the tables that leads to the real one through a word elsewhere (DW_EH_PE_indirect): the
  /// personality routine of a CIE, or a type that a function catches. The word is DW.ref.* in .data, or the GOT.
  public struct Indirection: Equatable {
    /// Address and size of the pointer in the tables.
    public let place: UInt64
    public let size: Int
    /// Address of the word that it leads to.
    public let target: UInt64
  }

  /// In ascending order of their start.
  public private(set) var entries: [Entry] = []
  /// In ascending order of their place, each once.
  public private(set) var indirections: [Indirection] = []
  /// What was read of .eh_frame.
  public private(set) var extent = AddressRange(start: 0, end: 0)

  private var commonEntries: [UInt64: CommonEntry] = [:]

  /// Empty for an object without PT_GNU_EH_FRAME.
  public init(_ image: Image) throws(ELFError) {
    guard let range = image.segments.ehFrameHeader else { return }
    guard let header = image.bytes(at: range.start, count: range.count) else {
      throw ELFError(.unwindTable, at: range.start)
    }
    // .eh_frame_hdr (LSB Core, "Exception Frame Header"); its search table repeats what .eh_frame says.
    var reader = UnwindReader(header, base: range.start)
    guard try reader.read(UInt8.self) == 1 else { throw reader.error }
    let frameEncoding = try reader.read(UInt8.self)
    let countEncoding = try reader.read(UInt8.self)
    _ = try reader.read(UInt8.self)
    guard let frames = try reader.pointer(frameEncoding, dataBase: range.start) else { return }
    var expected = UInt64.max
    if countEncoding != UnwindReader.omit { expected = try reader.number(countEncoding) }
    try read(image, frames: frames, expected: expected)
  }

  /// For a file that has the section, but no header that leads to it.
  init(_ image: Image, section: AddressRange) throws(ELFError) {
    try read(image, frames: section.start, expected: 0)
  }

  /// Reads .eh_frame at `frames` up to its terminator or the end of the segment. What follows `expected` entries
  /// without being one is the next section of a file that has no terminator.
  private mutating func read(_ image: Image, frames: UInt64, expected: UInt64) throws(ELFError) {
    guard let bytes = image.bytes(from: frames) else { throw ELFError(.unwindTable, at: frames) }
    var reader = UnwindReader(bytes, base: frames)
    // An FDE has 20 bytes at least.
    if expected < UInt64(bytes.count) / 20 { entries.reserveCapacity(Int(expected)) }
    while reader.offset < bytes.count {
      let first = reader.offset
      do {
        guard try readEntry(&reader) else { break }
      } catch {
        guard UInt64(entries.count) >= expected else { throw error }
        reader.offset = first
        break
      }
    }
    extent = AddressRange(start: frames, end: reader.address)
    sortEntries()
    readExceptionTables(image)
    commonEntries = [:]
  }

  /// Reads a CIE or FDE and goes behind it; false at the terminator.
  private mutating func readEntry(_ reader: inout UnwindReader) throws(ELFError) -> Bool {
    let start = reader.offset
    var length = UInt64(try reader.read(UInt32.self))
    if length == 0 { return false }
    if length == 0xffff_ffff { length = try reader.read(UInt64.self) }
    let content = reader.offset
    guard length >= 4, length <= UInt64(reader.bytes.count &- content) else { throw reader.error }
    let end = content &+ Int(length)
    // Four bytes also behind an extended length: the field differs from that of .debug_frame.
    let back = try reader.read(UInt32.self)
    if back != 0 {
      guard Int(back) <= content else { throw reader.error }
      let common = try commonEntry(reader, at: content &- Int(back))
      try readFrame(reader, common, end: end)
    } else {
      _ = try commonEntry(reader, at: start)
    }
    reader.offset = end
    return true
  }

  private mutating func commonEntry(_ reader: UnwindReader, at offset: Int) throws(ELFError) -> CommonEntry {
    let key = UInt64(truncatingIfNeeded: offset)
    if let known = commonEntries[key] { return known }
    let entry = try CommonEntry(reader, at: offset)
    commonEntries[key] = entry
    if let personality = entry.personality { indirections.append(personality) }
    return entry
  }

  private mutating func readFrame(_ outer: UnwindReader, _ common: CommonEntry, end: Int) throws(ELFError) {
    var reader = outer
    let start = try reader.pointer(common.pointerEncoding & 0x7f) ?? 0
    let count = try reader.number(common.pointerEncoding)
    guard reader.offset <= end, count <= UInt64.max - start else { throw reader.error }
    var lsda: UInt64?
    if common.hasAugmentationData {
      let size = try reader.uleb()
      guard reader.offset <= end, size <= UInt64(end &- reader.offset) else { throw reader.error }
      if size != 0 { lsda = try reader.pointer(common.lsdaEncoding, functionBase: start) }
    }
    // A range at 0 is what a linker leaves of a function that it has dropped.
    if start == 0 || count == 0 { return }
    entries.append(
      Entry(
        range: AddressRange(start: start, count: count), lsda: lsda, isSignalFrame: common.isSignalFrame))
  }

  private mutating func sortEntries() {
    for index in entries.indices.dropFirst() where entries[index].range.start < entries[index - 1].range.start {
      entries.sort { $0.range.start < $1.range.start }
      return
    }
  }

  /// Collects the types that functions catch; an exception table that can't be read explains nothing.
  private mutating func readExceptionTables(_ image: Image) {
    var budget = image.segments.loads.reduce(0) { $0 &+ Int(truncatingIfNeeded: $1.fileSize) }
    var last: UInt64?
    for entry in entries {
      guard let address = entry.lsda, address != last, budget > 0 else { continue }
      last = address
      guard let bytes = image.bytes(from: address) else { continue }
      UnwindTypes.collect(
        UnwindReader(bytes, base: address), function: entry.range.start, budget: &budget, into: &indirections)
    }
    indirections.sort { $0.place < $1.place }
    var unique: [Indirection] = []
    unique.reserveCapacity(indirections.count)
    for indirection in indirections where unique.last?.place != indirection.place { unique.append(indirection) }
    indirections = unique
  }
}

/// A CIE: what its FDEs have in common.
struct CommonEntry {
  private(set) var pointerEncoding: UInt8 = 0
  private(set) var lsdaEncoding: UInt8 = UnwindReader.omit
  private(set) var hasAugmentationData = false
  private(set) var isSignalFrame = false
  private(set) var personality: UnwindTable.Indirection?

  init(_ frames: UnwindReader, at offset: Int) throws(ELFError) {
    var reader = frames
    reader.offset = offset
    let length = try reader.read(UInt32.self)
    if length == 0xffff_ffff { _ = try reader.read(UInt64.self) }
    guard length != 0, try reader.read(UInt32.self) == 0 else { throw reader.error }
    let version = try reader.read(UInt8.self)
    guard version == 1 || version == 3 || version == 4 else { throw reader.error }
    let text = reader.offset
    // The longest known is zPLRSB: a longer one is no augmentation, and looking for its end would cost time.
    while try reader.read(UInt8.self) != 0 {
      guard reader.offset &- text <= 15 else { throw reader.error }
    }
    if version == 4 { _ = try reader.read(UInt16.self) }
    // Before g++ 3.0: a pointer.
    var letter = text
    if reader.bytes[letter] == UInt8(ascii: "e"), reader.bytes[letter &+ 1] == UInt8(ascii: "h") {
      _ = try reader.read(UInt64.self)
      letter = letter &+ 2
    }
    _ = try reader.uleb()
    _ = try reader.sleb()
    if version == 1 { _ = try reader.read(UInt8.self) } else { _ = try reader.uleb() }
    guard reader.bytes[letter] == UInt8(ascii: "z") else {
      // Without z nothing tells how to go on behind an unknown letter.
      guard reader.bytes[letter] == 0 else { throw reader.error }
      return
    }
    hasAugmentationData = true
    _ = try reader.uleb()
    try readAugmentation(&reader, at: letter &+ 1)
  }

  private mutating func readAugmentation(_ reader: inout UnwindReader, at first: Int) throws(ELFError) {
    var letter = first
    while reader.bytes[letter] != 0 {
      switch reader.bytes[letter] {
      case UInt8(ascii: "R"): pointerEncoding = try reader.read(UInt8.self)
      case UInt8(ascii: "L"): lsdaEncoding = try reader.read(UInt8.self)
      case UInt8(ascii: "S"): isSignalFrame = true
      case UInt8(ascii: "P"):
        let encoding = try reader.read(UInt8.self)
        let place = reader.address
        let target = try reader.pointer(encoding)
        if encoding != UnwindReader.omit, encoding & 0x80 != 0, let target,
          let size = UnwindReader.fixedSize(encoding)
        {
          personality = UnwindTable.Indirection(place: place, size: size, target: target)
        }
      // An unknown letter: the length behind z steps over what belongs to it and to those behind.
      default: return
      }
      letter = letter &+ 1
    }
  }
}
