import CKernel
import ELF

@testable import LoaderCore

/// A shared object that is nothing but its dynamic section and symbols, in memory of the test.
final class MadeObject {
  struct Symbol {
    var name: [UInt8]
    var type: UInt8 = 2
    var binding: UInt8 = 1
    var visibility: UInt8 = 0
    var section: UInt16
    var value: UInt64
    /// The DT_VERSYM entry.
    var version: UInt16 = 1
  }

  let object: LoadedObject
  private(set) var symbols: [Symbol]
  let versions: [String]
  var hasVersions: Bool { !versions.isEmpty }

  /// From few, so that objects have many names in common; of different lengths.
  static func name(_ random: inout Random) -> [UInt8] {
    Array("name_\(String(repeating: "x", count: random.below(4) * 5))\(random.below(12))".utf8)
  }

  static func version(_ random: inout Random) -> String { "V_\(random.below(4))" }

  convenience init(_ random: inout Random, role: LoadedObject.Role) throws {
    let versions =
      random.below(3) == 0 ? [] : Array(Set((0..<(1 + random.below(4))).map { _ in MadeObject.version(&random) }))
    let symbols = (0..<random.below(40)).map { _ in
      Symbol(
        name: MadeObject.name(&random), type: [0, 1, 2, 2, 2, 3, 6, 10][random.below(8)],
        binding: [0, 1, 1, 1, 2, 10][random.below(6)], visibility: [0, 0, 0, 1, 2, 3][random.below(6)],
        section: [0, 1, 1, 1][random.below(4)], value: UInt64(random.below(3)) * 16,
        version: UInt16(random.below(versions.count + 3)) | (random.below(4) == 0 ? 0x8000 : 0))
    }
    try self.init(symbols, versions: versions, role: role, usesGNUHash: random.below(5) > 0, &random)
  }

  /// `symbols` without the empty one at the beginning; they are put into the order that the hash table asks for.
  init(
    _ symbols: [Symbol], versions: [String], role: LoadedObject.Role, usesGNUHash: Bool, _ random: inout Random
  ) throws {
    let bucketCount = UInt32(1 + random.below(8))
    func bucket(_ symbol: Symbol) -> UInt32 { MadeObject.hash(symbol) % bucketCount }
    var sorted = symbols
    if usesGNUHash {
      sorted = symbols.enumerated().sorted { (bucket($0.1), $0.0) < (bucket($1.1), $1.0) }.map(\.1)
    }
    // References for each version stand before what is hashed.
    let references = (0..<(versions.count + 2)).map { Symbol(name: [], section: 0, value: 0, version: UInt16($0)) }
    let all = [Symbol(name: [], binding: 0, section: 0, value: 0, version: 0)] + references + sorted
    self.symbols = all
    self.versions = versions
    firstReference = 1
    var writer = Writer()
    let first = 1 + references.count
    let table = usesGNUHash ? MadeObject.gnuHash(all, first: first, bucketCount) : MadeObject.sysvHash(all)
    writer.write(all, versions, hash: table, usesGNUHash: usesGNUHash)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: writer.bytes.count, alignment: 16)
    writer.bytes.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    let bytes = Bytes(start: memory, count: writer.bytes.count)
    let segments = try Segments(bytes, FileHeader(bytes))
    object = try LoadedObject(
      role: role, path: Path("made"), name: [], bias: UInt64(UInt(bitPattern: memory)), segments: segments,
      image: Image(mapping: bytes, segments: segments), status: nil)
  }

  private let firstReference: Int
  /// Index of an undefined symbol that asks for a version by its index.
  func reference(version: UInt16) -> Int { firstReference + Int(version) }

  private static func hash(_ symbol: Symbol) -> UInt32 {
    symbol.name.withUnsafeBytes { SymbolName(Bytes($0)).gnuHash }
  }

  private static func gnuHash(_ symbols: [Symbol], first: Int, _ bucketCount: UInt32) -> [UInt32] {
    var bloom = [UInt64](repeating: 0, count: 2)
    var buckets = [UInt32](repeating: 0, count: Int(bucketCount))
    var chains: [UInt32] = []
    for (index, symbol) in symbols.enumerated() where index >= first {
      let hash = hash(symbol)
      bloom[Int(hash / 64 % 2)] |= 1 << UInt64(hash % 64) | 1 << UInt64((hash >> 5) % 64)
      if buckets[Int(hash % bucketCount)] == 0 { buckets[Int(hash % bucketCount)] = UInt32(index) }
      let isLast =
        index + 1 == symbols.count
        || MadeObject.hash(symbols[index + 1]) % bucketCount != hash % bucketCount
      chains.append(isLast ? hash | 1 : hash & ~1)
    }
    return [bucketCount, UInt32(first), 2, 5] + bloom.flatMap { [UInt32(truncatingIfNeeded: $0), UInt32($0 >> 32)] }
      + buckets + chains
  }

  /// One bucket: the chain has all symbols in their order.
  private static func sysvHash(_ symbols: [Symbol]) -> [UInt32] {
    let count = UInt32(symbols.count)
    return [1, count, count > 1 ? 1 : 0] + (0..<count).map { $0 == 0 || $0 + 1 == count ? 0 : $0 + 1 }
  }
}

/// Puts the file together: one loadable segment that has everything.
private struct Writer {
  var bytes = [UInt8](repeating: 0, count: 64 + 2 * 56)
  private var strings: [UInt8] = [0]

  private mutating func put<T>(_ value: T) { withUnsafeBytes(of: value) { bytes += $0 } }

  private mutating func string(_ text: [UInt8]) -> UInt32 {
    if text.isEmpty { return 0 }
    strings += text + [0]
    return UInt32(strings.count - text.count - 1)
  }

  private mutating func align() { while bytes.count % 8 != 0 { bytes.append(0) } }

  mutating func write(_ symbols: [MadeObject.Symbol], _ versions: [String], hash: [UInt32], usesGNUHash: Bool) {
    var dynamic: [(Int32, UInt64)] = [(usesGNUHash ? DT_GNU_HASH : DT_HASH, UInt64(bytes.count))]
    for word in hash { put(word) }
    align()
    if !versions.isEmpty {
      dynamic.append((DT_VERSYM, UInt64(bytes.count)))
      for symbol in symbols { put(symbol.version) }
      align()
      dynamic += [(DT_VERDEF, UInt64(bytes.count)), (DT_VERDEFNUM, UInt64(versions.count))]
      for (index, version) in versions.enumerated() {
        putDefinition(version, index, isLast: index + 1 == versions.count)
      }
      align()
    }
    dynamic.append((DT_SYMTAB, UInt64(bytes.count)))
    for symbol in symbols {
      var entry = Elf64_Sym()
      entry.st_name = string(symbol.name)
      entry.st_info = symbol.binding << 4 | symbol.type
      entry.st_other = symbol.visibility
      entry.st_shndx = symbol.section
      entry.st_value = symbol.value
      put(entry)
    }
    dynamic += [(DT_STRTAB, UInt64(bytes.count)), (DT_STRSZ, UInt64(strings.count))]
    bytes += strings
    align()
    let start = bytes.count
    for (tag, value) in dynamic + [(DT_NULL, 0)] {
      put(Int64(tag))
      put(value)
    }
    writeHeaders(dynamic: start)
  }

  private mutating func putDefinition(_ version: String, _ index: Int, isLast: Bool) {
    let name = Array(version.utf8)
    var record = Elf64_Verdef()
    record.vd_version = 1
    record.vd_ndx = UInt16(index + 2)
    record.vd_cnt = 1
    record.vd_hash = name.withUnsafeBytes { SymbolName.sysvHash(Bytes($0)) }
    record.vd_aux = UInt32(MemoryLayout<Elf64_Verdef>.size)
    record.vd_next = isLast ? 0 : UInt32(MemoryLayout<Elf64_Verdef>.size + MemoryLayout<Elf64_Verdaux>.size)
    put(record)
    var auxiliary = Elf64_Verdaux()
    auxiliary.vda_name = string(name)
    put(auxiliary)
  }

  private mutating func writeHeaders(dynamic: Int) {
    var header = Elf64_Ehdr()
    header.e_ident.0 = 0x7f
    header.e_ident.1 = 0x45
    header.e_ident.2 = 0x4c
    header.e_ident.3 = 0x46
    header.e_ident.4 = UInt8(ELFCLASS64)
    header.e_ident.5 = UInt8(ELFDATA2LSB)
    header.e_ident.6 = UInt8(EV_CURRENT)
    header.e_type = UInt16(ET_DYN)
    header.e_machine = UInt16(EM_X86_64)
    header.e_version = 1
    header.e_phoff = 64
    header.e_phentsize = 56
    header.e_phnum = 2
    var load = Elf64_Phdr()
    load.p_type = UInt32(PT_LOAD)
    load.p_flags = UInt32(PF_R)
    load.p_filesz = UInt64(bytes.count)
    load.p_memsz = load.p_filesz
    load.p_align = 4096
    var section = Elf64_Phdr()
    section.p_type = UInt32(PT_DYNAMIC)
    section.p_flags = UInt32(PF_R)
    section.p_offset = UInt64(dynamic)
    section.p_vaddr = section.p_offset
    section.p_filesz = UInt64(bytes.count - dynamic)
    section.p_memsz = section.p_filesz
    bytes.withUnsafeMutableBytes { buffer in
      buffer.storeBytes(of: header, as: Elf64_Ehdr.self)
      buffer.storeBytes(of: load, toByteOffset: 64, as: Elf64_Phdr.self)
      buffer.storeBytes(of: section, toByteOffset: 120, as: Elf64_Phdr.self)
    }
  }
}
