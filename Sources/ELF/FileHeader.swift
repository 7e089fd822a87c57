import CKernel

/// The ELF header (gABI, "ELF Header"), checked for what this processor and the loader can use at all.
public struct FileHeader {
  public enum Kind: Equatable { case executable, sharedObject }

  public let kind: Kind
  public let entry: UInt64
  public let programHeaderOffset: UInt64
  public let programHeaderCount: Int
  public let sectionHeaderOffset: UInt64
  public let sectionHeaderCount: Int
  public let sectionNameIndex: Int

  /// The machine this build serves.
  public static var machine: UInt16 { UInt16(EM_X86_64) }

  public init(_ file: Bytes) throws(ELFError) {
    guard let header = file.load(Elf64_Ehdr.self, at: 0) else {
      // A file that is not even as long as the magic is told apart from one that is cut off.
      let isELF = file.count >= 4 && FileHeader.hasMagic(file)
      throw ELFError(isELF || file.count < 4 ? .truncatedHeader : .notELF, at: UInt64(file.count))
    }
    guard FileHeader.hasMagic(file) else { throw ELFError(.notELF, at: 0) }
    guard file[Int(EI_CLASS)] == UInt8(ELFCLASS64) else { throw ELFError(.not64Bit, at: UInt64(EI_CLASS)) }
    guard file[Int(EI_DATA)] == UInt8(ELFDATA2LSB) else { throw ELFError(.notLittleEndian, at: UInt64(EI_DATA)) }
    guard file[Int(EI_VERSION)] == UInt8(EV_CURRENT), header.e_version == UInt32(EV_CURRENT) else {
      throw ELFError(.unsupportedVersion, at: UInt64(EI_VERSION))
    }
    guard header.e_machine == FileHeader.machine else { throw ELFError(.wrongMachine, at: 18) }
    switch Int32(header.e_type) {
    case ET_DYN: kind = .sharedObject
    case ET_EXEC: kind = .executable
    default: throw ELFError(.unsupportedType, at: 16)
    }
    guard header.e_phentsize == UInt16(MemoryLayout<Elf64_Phdr>.size) else {
      throw ELFError(.badProgramHeaderSize, at: 54)
    }
    entry = header.e_entry
    programHeaderOffset = header.e_phoff
    programHeaderCount = Int(header.e_phnum)
    sectionHeaderOffset = header.e_shoff
    sectionHeaderCount = header.e_shentsize == UInt16(MemoryLayout<Elf64_Shdr>.size) ? Int(header.e_shnum) : 0
    sectionNameIndex = Int(header.e_shstrndx)
  }

  static func hasMagic(_ file: Bytes) -> Bool {
    file[0] == 0x7f && file[1] == 0x45 && file[2] == 0x4c && file[3] == 0x46
  }
}
