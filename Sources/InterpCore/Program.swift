import CKernel
import ELF

/// The tables of a program that a change of its interpreter touches, over its bytes.
struct Program {
  var file: EditableBytes
  let header: Elf64_Ehdr
  private(set) var segments: [Elf64_Phdr] = []
  /// nil: there is a section header table, but not one that can be edited with confidence.
  private(set) var sections: [Elf64_Shdr]? = []
  /// Index of PT_INTERP in `segments`.
  let interpreterIndex: Int
  /// Index of the section that describes the same bytes.
  let interpreterSection: Int?

  /// Accepts what the kernel and the loaders can run: an ELF64 x86-64 file whose segments are sound.
  init(_ bytes: [UInt8]) throws(InterpreterError) {
    let checked = bytes.withELFBytes { Program.check($0) }
    switch checked {
    case .failure(let error): throw error
    case .success(let header): self.header = header
    }
    file = EditableBytes(bytes)
    for index in 0..<UInt64(header.e_phnum) {
      guard let entry = file.load(Elf64_Phdr.self, at: header.e_phoff &+ index * 56) else { break }
      segments.append(entry)
    }
    let index = try Program.interpreterIndex(in: segments)
    let interpreter = segments[index]
    let table = Program.readSections(file, header)
    sections = table
    interpreterIndex = index
    interpreterSection = table?.firstIndex {
      $0.sh_type == UInt32(SHT_PROGBITS) && $0.sh_offset == interpreter.p_offset
        && $0.sh_size == interpreter.p_filesz && $0.sh_addr == interpreter.p_vaddr
    }
    guard let area = file.copy(at: interpreter.p_offset, count: interpreter.p_filesz), area.last == 0,
      area.count >= 2
    else { throw .unterminatedInterpreter }
  }

  private static func check(_ bytes: Bytes) -> Result<Elf64_Ehdr, InterpreterError> {
    do throws(ELFError) {
      let header = try FileHeader(bytes)
      _ = try Segments(bytes, header)
      guard let raw = bytes.load(Elf64_Ehdr.self, at: 0) else {
        return .failure(.elf(ELFError(.truncatedHeader, at: 0)))
      }
      return .success(raw)
    } catch {
      return .failure(.elf(error))
    }
  }

  private static func interpreterIndex(in segments: [Elf64_Phdr]) throws(InterpreterError) -> Int {
    let indices = segments.indices.filter { segments[$0].p_type == UInt32(PT_INTERP) }
    guard let index = indices.first else {
      let isDynamic = segments.contains { $0.p_type == UInt32(PT_DYNAMIC) }
      throw isDynamic ? .noInterpreter : .staticallyLinked
    }
    guard indices.count == 1 else { throw .severalInterpreters }
    return index
  }

  private static func readSections(_ file: EditableBytes, _ header: Elf64_Ehdr) -> [Elf64_Shdr]? {
    if header.e_shoff == 0 { return [] }
    // With e_shnum 0 the number stands in the first entry (gABI): more than 65279 sections, not a case to edit.
    guard header.e_shentsize == 64, header.e_shnum != 0 else { return nil }
    var sections: [Elf64_Shdr] = []
    for index in 0..<UInt64(header.e_shnum) {
      guard let entry = file.load(Elf64_Shdr.self, at: header.e_shoff &+ index * 64) else { return nil }
      sections.append(entry)
    }
    return sections
  }

  var interpreter: Elf64_Phdr { segments[interpreterIndex] }

  /// The whole of PT_INTERP.
  var area: [UInt8] { file.copy(at: interpreter.p_offset, count: interpreter.p_filesz) ?? [] }

  func offset(ofSegment index: Int) -> UInt64 { header.e_phoff &+ UInt64(index) * 56 }
  func offset(ofSection index: Int) -> UInt64 { header.e_shoff &+ UInt64(index) * 64 }

  /// Offsets of st_value of the section symbols (STT_SECTION) that stand for PT_INTERP's section, which move with it.
  /// Other symbols there, if any, belong to code that reads the old bytes, and these stay where they are.
  var interpreterSymbols: [UInt64] {
    guard let index = interpreterSection, let sections else { return [] }
    var places: [UInt64] = []
    for table in sections where table.sh_type == UInt32(SHT_SYMTAB) {
      guard let bytes = file.copy(at: table.sh_offset, count: table.sh_size) else { continue }
      bytes.withELFBytes {
        for entry in 0..<UInt64(bytes.count / 24) {
          guard let symbol = $0.load(Elf64_Sym.self, at: entry * 24), Int(symbol.st_shndx) == index,
            symbol.st_info & 0xf == UInt8(STT_SECTION), symbol.st_value == sections[index].sh_addr
          else { continue }
          places.append(table.sh_offset + entry * 24 + 8)
        }
      }
    }
    // A linker makes one at most.
    return Array(places.prefix(2))
  }

  /// Everything of the file that has an owner: header, tables, segments and sections, as offsets.
  var usedRanges: [AddressRange] {
    var ranges = [
      AddressRange(start: 0, end: 64),
      AddressRange(start: header.e_phoff, count: UInt64(header.e_phnum) * 56),
    ]
    if header.e_shoff != 0 {
      ranges.append(AddressRange(start: header.e_shoff, count: UInt64(header.e_shnum) * 64))
    }
    for segment in segments where segment.p_filesz > 0 {
      ranges.append(AddressRange(start: segment.p_offset, count: segment.p_filesz))
    }
    for section in sections ?? [] where section.sh_type != UInt32(SHT_NOBITS) && section.sh_size > 0 {
      ranges.append(AddressRange(start: section.sh_offset, count: section.sh_size))
    }
    return ranges
  }
}
