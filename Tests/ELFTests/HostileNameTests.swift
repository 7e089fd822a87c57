import ELF
import Testing

/// Names that are as long as the file, and as many as fit: reading them must not take the product of both.
@Suite struct HostileNameTests {
  /// An object whose table of version definitions has 32,000 records that name the same string of 8 MiB.
  static func file() -> [UInt8] {
    let stringsSize = 8 << 20
    let records = 32000
    let definitions = 0x200
    let strings = definitions + records * 28
    var bytes = [UInt8](repeating: 0, count: strings + stringsSize)
    func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) {
        for (index, byte) in $0.enumerated() { bytes[offset + index] = byte }
      }
    }
    for (index, byte) in ([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] as [UInt8]).enumerated() { bytes[index] = byte }
    put(UInt16(3), at: 16)
    put(UInt16(62), at: 18)
    put(UInt32(1), at: 20)
    put(UInt64(64), at: 32)
    put(UInt16(56), at: 54)
    put(UInt16(2), at: 56)
    // PT_LOAD of the file, PT_DYNAMIC at 0x100.
    put(UInt32(1), at: 64)
    put(UInt32(4), at: 68)
    put(UInt64(bytes.count), at: 64 + 32)
    put(UInt64(bytes.count), at: 64 + 40)
    put(UInt32(2), at: 120)
    put(UInt64(0x100), at: 120 + 8)
    put(UInt64(0x100), at: 120 + 16)
    put(UInt64(0x60), at: 120 + 32)
    put(UInt64(0x60), at: 120 + 40)
    // DT_STRTAB, DT_STRSZ, DT_SYMTAB, DT_VERDEF, DT_VERDEFNUM.
    let entries = [(5, strings), (10, stringsSize), (6, strings), (0x6fff_fffc, definitions), (0x6fff_fffd, records)]
    for (index, entry) in entries.enumerated() {
      put(UInt64(entry.0), at: 0x100 + index * 16)
      put(UInt64(entry.1), at: 0x108 + index * 16)
    }
    for index in 0..<records {
      let record = definitions + index * 28
      put(UInt16(1), at: record)
      put(UInt16(2), at: record + 4)
      put(UInt16(1), at: record + 6)
      put(UInt32(20), at: record + 12)
      put(UInt32(28), at: record + 16)
    }
    for index in strings..<bytes.count - 1 { bytes[index] = 0x61 }
    return bytes
  }

  @Test func versionNamesHaveALimit() {
    let bytes = Self.file()
    _ = bytes.withUnsafeBytes { buffer in
      #expect(throws: ELFError(.versionTable, at: 0x200)) { try ObjectFile(Bytes(buffer)) }
    }
  }

  @Test func limitCountsTheTerminator() {
    let bytes = Bytes("abc\0def\0")
    #expect(bytes.cString(at: 0, limit: 4)?.count == 3)
    #expect(bytes.cString(at: 0, limit: 3) == nil)
    #expect(bytes.cString(at: 4)?.count == 3)
    #expect(bytes.cString(at: 8) == nil)
  }
}
