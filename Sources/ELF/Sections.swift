import CKernel

/// One section header with its name. Sections do not exist for a running program; analysis of files uses them.
public struct Section {
  public let name: Bytes
  public let type: UInt32
  public let flags: UInt64
  public let address: UInt64
  public let fileOffset: UInt64
  public let size: UInt64
  public let link: Int
  public let alignment: UInt64

  public var isAllocated: Bool { flags & UInt64(SHF_ALLOC) != 0 }
  public var isWritable: Bool { flags & UInt64(SHF_WRITE) != 0 }
  public var isExecutable: Bool { flags & UInt64(SHF_EXECINSTR) != 0 }
  public var isTLS: Bool { flags & UInt64(SHF_TLS) != 0 }
  /// Takes memory but no bytes of the file.
  public var isNoBits: Bool { type == UInt32(SHT_NOBITS) }
  public var range: AddressRange { AddressRange(start: address, count: min(size, UInt64.max - address)) }
}

/// The section header table of a file; empty where the file has none.
public struct Sections {
  public let all: [Section]

  public init(_ file: Bytes, _ header: FileHeader) throws(ELFError) {
    guard header.sectionHeaderOffset != 0, header.sectionHeaderCount != 0 else {
      all = []
      return
    }
    let entrySize = MemoryLayout<Elf64_Shdr>.size
    guard
      let table = file.slice(
        at: header.sectionHeaderOffset, count: UInt64(header.sectionHeaderCount * entrySize))
    else { throw ELFError(.sectionHeaders, at: header.sectionHeaderOffset) }
    guard let namesHeader = table.load(Elf64_Shdr.self, at: header.sectionNameIndex * entrySize),
      let names = file.slice(at: namesHeader.sh_offset, count: namesHeader.sh_size)
    else { throw ELFError(.sectionHeaders, at: header.sectionHeaderOffset) }
    var sections: [Section] = []
    sections.reserveCapacity(header.sectionHeaderCount)
    for index in 0..<header.sectionHeaderCount {
      guard let entry = table.load(Elf64_Shdr.self, at: index * entrySize) else { break }
      let position = header.sectionHeaderOffset + UInt64(index * entrySize)
      guard let name = names.cString(at: UInt64(entry.sh_name), limit: 4096) else {
        throw ELFError(.sectionHeaders, at: position)
      }
      if entry.sh_type != UInt32(SHT_NOBITS), entry.sh_type != UInt32(SHT_NULL) {
        guard file.slice(at: entry.sh_offset, count: entry.sh_size) != nil else {
          throw ELFError(.sectionHeaders, at: position)
        }
      }
      sections.append(
        Section(
          name: name, type: entry.sh_type, flags: entry.sh_flags, address: entry.sh_addr,
          fileOffset: entry.sh_offset, size: entry.sh_size, link: Int(entry.sh_link),
          alignment: max(entry.sh_addralign, 1)))
    }
    all = sections
  }

  public func first(named name: StaticString) -> Section? {
    let wanted = Bytes(name)
    return all.first { $0.name == wanted }
  }

  /// The allocated section that holds `address`. TLS sections without bytes overlap what follows them: passed over.
  public func containing(_ address: UInt64) -> Section? {
    all.first { $0.isAllocated && $0.range.contains(address) && !($0.isTLS && $0.isNoBits) }
  }
}
