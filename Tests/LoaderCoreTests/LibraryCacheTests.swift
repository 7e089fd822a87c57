import ELF
import Testing

@testable import LoaderCore

struct LibraryCacheTests {
  /// A cache as ldconfig writes it, of names and paths in the order given.
  private func made(_ records: [(key: String, value: String)]) -> [UInt8] {
    var strings: [UInt8] = []
    var table: [UInt8] = []
    func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    let start = 48 + 24 * records.count
    for record in records {
      let key = start + strings.count
      strings += Array(record.key.utf8) + [0]
      let value = start + strings.count
      strings += Array(record.value.utf8) + [0]
      table += word(0x0303) + word(key) + word(value) + word(0) + word(0) + word(0)
    }
    return Array("glibc-ld.so.cache1.1".utf8) + word(records.count) + word(strings.count)
      + [UInt8](repeating: 0, count: 20) + table + strings
  }

  private func path(of name: String, in cache: [UInt8]) -> String? {
    cache.withUnsafeBytes { bytes in
      Array(name.utf8).withUnsafeBytes { name in
        LibraryCache(Bytes(bytes))?.path(of: Bytes(name)).map { String(decoding: $0.copy(), as: UTF8.self) }
      }
    }
  }

  /// Numbers count as numbers, and are more than letters: ldconfig's order, descending.
  @Test func findsEveryNameOfASortedTable() {
    let names = [
      "libz.so.10", "libz.so.9", "libz.so.1", "libz.so", "libssl.so.3", "libssl.so", "liba2.so", "liba.so",
    ]
    let cache = made(names.map { ($0, "/lib/" + $0) })
    for name in names { #expect(path(of: name, in: cache) == "/lib/" + name) }
    for name in ["libz.so.2", "liba", "liba.so.1", "a", "", "zz", "libz.so.100"] {
      #expect(path(of: name, in: cache) == nil)
    }
  }

  @Test func sameNumberInAnotherSpelling() {
    let cache = made([("libx.so.01", "/lib/first"), ("libx.so.1", "/lib/second")])
    #expect(path(of: "libx.so.1", in: cache) == "/lib/second")
    #expect(path(of: "libx.so.01", in: cache) == "/lib/first")
    #expect(path(of: "libx.so.001", in: cache) == nil)
  }

  @Test func theMachinesOwn() throws {
    let file = try FileDescriptor.open(Path("/etc/ld.so.cache"))
    defer { file.close() }
    let content = try file.beginning(size: 1 << 22)
    try content.withUnsafeBytes { bytes in
      let cache = try #require(LibraryCache(Bytes(bytes)))
      #expect(cache.count > 0)
      var found = 0
      for index in 0..<cache.count {
        let record = LibraryCache.headerSize + index * LibraryCache.recordSize
        guard let key = cache.content.load(UInt32.self, at: record + 4),
          let name = cache.content.cString(at: UInt64(key)),
          cache.content.load(Int32.self, at: record) == LibraryCache.wantedFlags,
          cache.content.load(UInt64.self, at: record + 16) == 0
        else { continue }
        found += 1
        #expect(cache.path(of: name) != nil)
      }
      #expect(found > 0)
    }
  }
}
