import CKernel

/// An object that consists of fuzzed tables: a header, one loadable segment over everything and a dynamic section that
/// leads to each table. So mutations get to the tables' readers, instead of ending at the checks of what leads there.
///
/// The input is a run of tables, each behind its size (two bytes, little-endian). A size beyond the end takes the rest.
struct TableFile {
  /// The tags of a table's address and size in the dynamic section; 0: it has none.
  struct Place {
    let address: Int32
    let size: Int32

    init(_ address: Int32, _ size: Int32 = 0) {
      self.address = address
      self.size = size
    }
  }

  private(set) var bytes: [UInt8] = []
  private var dynamic: [UInt64] = []
  /// What is left of the input behind the tables.
  private(set) var rest: Bytes

  /// `extra`: further entries of the dynamic section.
  init(_ input: Bytes, _ places: [Place], extra: [(tag: Int32, value: UInt64)] = []) {
    rest = input
    let dynamicStart = 64 + 2 * 56
    let dynamicSize = (places.count * 2 + extra.count + 1) * 16
    bytes = [UInt8](repeating: 0, count: dynamicStart + dynamicSize)
    for place in places { add(place) }
    for (tag, value) in extra { dynamic += [UInt64(bitPattern: Int64(tag)), value] }
    for (index, word) in dynamic.enumerated() { put(word, at: dynamicStart + index * 8) }
    writeHeaders(dynamicStart: dynamicStart, dynamicSize: dynamicSize)
  }

  private mutating func add(_ place: Place) {
    while bytes.count % 16 != 0 { bytes.append(0) }
    let size = min(Int(rest.load(UInt16.self, at: 0) ?? 0), max(rest.count - 2, 0))
    dynamic += [UInt64(place.address), UInt64(bytes.count)]
    if place.size != 0 { dynamic += [UInt64(place.size), UInt64(size)] }
    if let table = rest.slice(at: 2, count: UInt64(size)) { bytes += table.copy() }
    rest = rest.suffix(from: UInt64(min(size + 2, rest.count))) ?? .empty
  }

  private mutating func put<T>(_ value: T, at offset: Int) {
    withUnsafeBytes(of: value) { for (index, byte) in $0.enumerated() { bytes[offset + index] = byte } }
  }

  private mutating func writeHeaders(dynamicStart: Int, dynamicSize: Int) {
    for (index, byte) in ([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] as [UInt8]).enumerated() { bytes[index] = byte }
    put(UInt16(ET_DYN), at: 16)
    put(UInt16(EM_X86_64), at: 18)
    put(UInt32(1), at: 20)
    put(UInt64(64), at: 32)
    put(UInt16(56), at: 54)
    put(UInt16(2), at: 56)
    var load = Elf64_Phdr()
    load.p_type = UInt32(PT_LOAD)
    load.p_flags = 6
    load.p_filesz = UInt64(bytes.count)
    load.p_memsz = UInt64(bytes.count)
    load.p_align = 4096
    put(load, at: 64)
    var section = Elf64_Phdr()
    section.p_type = UInt32(PT_DYNAMIC)
    section.p_offset = UInt64(dynamicStart)
    section.p_vaddr = UInt64(dynamicStart)
    section.p_filesz = UInt64(dynamicSize)
    section.p_memsz = UInt64(dynamicSize)
    put(section, at: 64 + 56)
  }
}
