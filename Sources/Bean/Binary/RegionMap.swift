import CKernel

/// What the memory at an address of an object is for.
public enum RegionKind: UInt8, Equatable, Sendable {
  /// In no section.
  case none
  case code
  /// Never written: constants, tables, unwind information.
  case readOnly
  /// Written by relocation only: PT_GNU_RELRO, and what linkers put there by name.
  case relro
  /// The global offset table: its content belongs to one version.
  case got
  /// The image of thread-local storage, .tdata.
  case threadImage
  /// Writable data that outlives start-up.
  case state
}

/// The allocated sections of an object by address, each with what it is for.
///
/// State is what is writable, not covered by PT_GNU_RELRO and no GOT. Sections that hold constants of one version
/// are never state, even where an object was linked without RELRO: they are known by name.
public struct RegionMap {
  public struct Region {
    public let name: Bytes
    public let range: AddressRange
    public let kind: RegionKind
    public let alignment: UInt64
    /// Takes memory but no bytes of the file (SHT_NOBITS).
    public let isNoBits: Bool
  }

  /// Sorted by address; they do not overlap.
  public let regions: [Region]

  /// Linked objects have a few dozen sections; a hostile one could have so many that looking them through for each
  /// reference takes minutes.
  static var maximumRegions: Int { 512 }

  /// Throws `sectionHeaders` where sections overlap or lie outside the loadable segments.
  public init(_ file: ObjectFile, _ sections: Sections) throws(ELFError) {
    var found: [Region] = []
    for section in sections.all where section.isAllocated && section.size != 0 {
      if section.isTLS && section.isNoBits { continue }
      let range = section.range
      guard file.segments.covers(range) else { throw ELFError(.sectionHeaders, at: section.address) }
      if !section.isNoBits, file.image.bytes(at: range.start, count: range.count) == nil {
        throw ELFError(.sectionHeaders, at: section.address)
      }
      guard found.count < RegionMap.maximumRegions else { throw ELFError(.sectionHeaders, at: section.address) }
      found.append(
        Region(
          name: section.name, range: range, kind: RegionMap.kind(of: section, file), alignment: section.alignment,
          isNoBits: section.isNoBits))
    }
    found.sort { $0.range.start < $1.range.start }
    var end: UInt64 = 0
    for region in found {
      guard region.range.start >= end else { throw ELFError(.sectionHeaders, at: region.range.start) }
      end = region.range.end
    }
    regions = found
  }

  private static func kind(of section: Section, _ file: ObjectFile) -> RegionKind {
    if section.isExecutable && !section.isWritable { return .code }
    if !section.isWritable { return .readOnly }
    if section.isTLS { return .threadImage }
    if section.name.hasPrefix(".got") { return .got }
    if let table = file.dynamic?.pltGOT, section.range.contains(table), isTableOfPointers(section.name) {
      return .got
    }
    if let relro = file.segments.relro, relro.contains(section.address) { return .relro }
    return isConstantByName(section.name) ? .relro : .state
  }

  /// DT_PLTGOT may point to a table that does not carry the usual name; never to the data sections.
  private static func isTableOfPointers(_ name: Bytes) -> Bool {
    name != Bytes(".data") && name != Bytes(".bss")
  }

  /// Sections of constants per version, as GNU ld, gold and lld name them.
  private static func isConstantByName(_ name: Bytes) -> Bool {
    name.hasPrefix(".data.rel.ro") || name.hasPrefix(".bss.rel.ro") || name.hasPrefix(".init_array")
      || name.hasPrefix(".fini_array") || name.hasPrefix(".preinit_array") || name == Bytes(".dynamic")
      || name.hasPrefix(".ctors") || name.hasPrefix(".dtors") || name == Bytes(".jcr") || name == Bytes(".eh_frame")
      || name.hasPrefix(".gcc_except_table") || name == Bytes(".relro_padding")
  }

  /// Index of the region that holds `address`.
  public func index(containing address: UInt64) -> Int? {
    var low = 0
    var high = regions.count
    while low < high {
      let middle = (low + high) / 2
      if regions[middle].range.end <= address { low = middle + 1 } else { high = middle }
    }
    guard low < regions.count, regions[low].range.contains(address) else { return nil }
    return low
  }

  public func region(containing address: UInt64) -> Region? {
    guard let index = index(containing: address) else { return nil }
    return regions[index]
  }

  public func kind(of address: UInt64) -> RegionKind {
    guard let index = index(containing: address) else { return .none }
    return regions[index].kind
  }

  public func first(named name: StaticString) -> Region? {
    let wanted = Bytes(name)
    return regions.first { $0.name == wanted }
  }
}
