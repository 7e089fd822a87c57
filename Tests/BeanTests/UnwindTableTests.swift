import Bean
import Testing

@Suite struct UnwindTableTests {
  /// readelf's list of FDEs, in the order of the section.
  static func readelfRanges(_ path: String) -> [AddressRange]? {
    // Filtered before Swift looks at it: the whole text of libc has many megabytes.
    let filter = "readelf --debug-dump=frames \"$0\" | grep ' FDE '"
    guard let text = TestTool.run(["sh", "-c", filter, path]) else { return nil }
    var result: [AddressRange] = []
    for line in text.split(separator: "\n") {
      guard let field = line.split(separator: " ").first(where: { $0.hasPrefix("pc=") }) else { continue }
      let ends = field.dropFirst(3).split(separator: ".", omittingEmptySubsequences: true)
      guard ends.count == 2, let start = UInt64(ends[0], radix: 16), let end = UInt64(ends[1], radix: 16) else {
        continue
      }
      result.append(AddressRange(start: start, end: end))
    }
    return result
  }

  @Test(arguments: ["libc.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"])
  func agreesWithReadelf(_ name: String) throws {
    guard let bytes = TestFile.library(name) else { return }
    let wanted = try #require(Self.readelfRanges("/lib/x86_64-linux-gnu/" + name))
    let table = try UnwindTable(ObjectFile(bytes).image)
    #expect(wanted.count > 50)
    #expect(table.entries.map(\.range) == wanted.sorted { $0.start < $1.start })
  }

  static let source = """
    struct A { virtual ~A(); }; struct B { int x; };
    void work(int) ; A::~A() {}
    extern "C" int run(int x) {
      try { work(x); } catch (A &) { return 1; } catch (B &b) { return b.x; } catch (int i) { return i; }
      return 0;
    }
    extern "C" void limited(int x) throw(B, long) { work(x); }
    """

  /// The personality routine and the caught types lead through the words DW.ref.*, and nothing else does.
  @Test func indirectionsAreTheReferenceWords() throws {
    let (path, bytes) = try #require(try TestTool.compile(Self.source, ["-std=c++14", "-Wno-deprecated"]))
    let names = try #require(TestTool.run(["nm", path]))
    var wanted: Set<UInt64> = []
    for line in names.split(separator: "\n") where line.contains("DW.ref.") {
      wanted.insert(UInt64(line.split(separator: " ")[0], radix: 16) ?? 0)
    }
    let file = try ObjectFile(bytes)
    let table = try UnwindTable(file.image)
    // __gxx_personality_v0, the type infos of A, B, int and long.
    #expect(wanted.count == 5)
    #expect(Set(table.indirections.map(\.target)) == wanted)
    for indirection in table.indirections {
      #expect(indirection.size == 4)
      let distance = try #require(file.image.load(Int32.self, at: indirection.place))
      #expect(indirection.place &+ UInt64(bitPattern: Int64(distance)) == indirection.target)
    }
  }

  /// A file whose .eh_frame has this content, as its own executable segment at 0.
  static func image(_ frames: [UInt8], header: [UInt8]? = nil) throws -> Image {
    var bytes = [UInt8](repeating: 0, count: 0x200)
    func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) {
        for (index, byte) in $0.enumerated() { bytes[offset + index] = byte }
      }
    }
    for (index, byte) in [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].enumerated() { bytes[index] = UInt8(byte) }
    put(UInt16(3), at: 16)
    put(UInt16(62), at: 18)
    put(UInt32(1), at: 20)
    put(UInt64(64), at: 32)
    put(UInt16(64), at: 52)
    put(UInt16(56), at: 54)
    put(UInt16(2), at: 56)
    let total = UInt64(0x200 + frames.count)
    // PT_LOAD of everything, and PT_GNU_EH_FRAME at 0x100.
    put(UInt32(1), at: 64)
    put(UInt32(5), at: 68)
    put(total, at: 64 + 32)
    put(total, at: 64 + 40)
    put(UInt32(0x6474_e550), at: 120)
    put(UInt64(0x100), at: 120 + 8)
    put(UInt64(0x100), at: 120 + 16)
    put(UInt64(12), at: 120 + 32)
    put(UInt64(12), at: 120 + 40)
    // Version 1, eh_frame_ptr pcrel|sdata4, no count, no table.
    let head = header ?? [1, 0x1b, 0xff, 0xff, 0xfc, 0, 0, 0]
    bytes.replaceSubrange(0x100..<0x100 + head.count, with: head)
    return try ObjectFile(TestFile.keep(bytes + frames)).image
  }

  static let cie: [UInt8] = [16, 0, 0, 0, 0, 0, 0, 0, 1, 0x7a, 0x52, 0, 1, 0x78, 16, 1, 0x03, 0, 0, 0]

  @Test func absoluteEncodingAndTerminator() throws {
    let fde: [UInt8] = [16, 0, 0, 0, 24, 0, 0, 0, 0x00, 0x10, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0]
    let table = try UnwindTable(Self.image(Self.cie + fde + [0, 0, 0, 0] + fde))
    #expect(table.entries.map(\.range) == [AddressRange(start: 0x1000, count: 0x20)])
    #expect(table.extent == AddressRange(start: 0x200, count: UInt64(Self.cie.count + fde.count + 4)))
  }

  @Test func extendedLength() throws {
    let fde: [UInt8] =
      [0xff, 0xff, 0xff, 0xff, 16, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0x00, 0x10, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0]
    let table = try UnwindTable(Self.image(Self.cie + fde + [0, 0, 0, 0]))
    #expect(table.entries.map(\.range) == [AddressRange(start: 0x1000, count: 0x20)])
  }

  @Test(
    arguments: [
      // An FDE that reaches beyond the end.
      [16, 0, 0, 0, 24, 0, 0, 0, 0x00, 0x10],
      // The CIE would lie before the section.
      [16, 0, 0, 0, 99, 0, 0, 0, 0x00, 0x10, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0],
      // The CIE pointer leads to no CIE.
      [16, 0, 0, 0, 20, 0, 0, 0, 0x00, 0x10, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0],
      // Too short for a CIE pointer.
      [2, 0, 0, 0, 24, 0],
      // Augmentation data longer than the entry.
      [16, 0, 0, 0, 24, 0, 0, 0, 0x00, 0x10, 0, 0, 0x20, 0, 0, 0, 0x7f, 0, 0, 0],
    ] as [[UInt8]])
  func damaged(_ entry: [UInt8]) throws {
    let image = try Self.image(Self.cie + entry)
    #expect(throws: ELFError.self) { try UnwindTable(image) }
  }

  @Test func damagedHeader() throws {
    for head in [[2, 0x1b, 0xff, 0xff], [1, 0x0d, 0xff, 0xff], [1, 0x21, 0xff, 0xff, 1]] as [[UInt8]] {
      let image = try Self.image(Self.cie, header: head)
      #expect(throws: ELFError.self) { try UnwindTable(image) }
    }
  }
}
