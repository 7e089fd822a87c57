import CKernel
import Testing

@testable import LoaderCore

@Suite struct InitialStackTests {
  /// A vector as the kernel writes it, with strings of this test.
  static func vector(_ words: [UInt64]) -> UInt64 {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: words.count * 8, alignment: 16)
    words.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    return UInt64(UInt(bitPattern: memory))
  }

  static func string(_ text: StaticString) -> UInt64 { UInt64(UInt(bitPattern: text.utf8Start)) }

  static func example() -> InitialStack {
    InitialStack(
      at: vector([
        2, string("a.out\0"), string("foo\0"), 0, string("HOME=/root\0"), string("LD_PRELOAD=x.so\0"), 0,
        UInt64(AT_PHDR), 0x1000, UInt64(AT_ENTRY), 0x2000, UInt64(AT_NULL), 0,
      ]))
  }

  @Test func readsAndWrites() {
    let stack = Self.example()
    #expect(stack.arguments.count == 2 && stack.environment.count == 2)
    #expect(stack.argument(1) == Bytes("foo"))
    #expect(stack.environmentValue("HOME") == Bytes("/root"))
    #expect(stack.environmentValue("HOM") == nil)
    #expect(stack[AT_PHDR] == 0x1000 && stack[AT_BASE] == nil)
    #expect(stack.size % 16 == 0)
    let copy = UnsafeMutableRawPointer.allocate(byteCount: Int(stack.size), alignment: 16)
    stack.write(at: UInt64(UInt(bitPattern: copy)))
    let again = InitialStack(at: UInt64(UInt(bitPattern: copy)))
    #expect(again.arguments == stack.arguments && again.environment == stack.environment)
    #expect(again[AT_ENTRY] == 0x2000)
    #expect(
      ProcessMemory.load(UInt64.self, at: stack.auxiliaryAddress(at: UInt64(UInt(bitPattern: copy))))
        == UInt64(AT_PHDR))
  }

  @Test func changesEntries() {
    var stack = Self.example()
    stack[AT_PHDR] = 7
    stack[AT_BASE] = 8
    stack[AT_ENTRY] = nil
    #expect(stack[AT_PHDR] == 7 && stack[AT_BASE] == 8 && stack[AT_ENTRY] == nil)
  }
}

@Suite struct TLSLayoutTests {
  @Test func withoutObjects() {
    var layout = TLSLayout()
    layout.finish()
    #expect(layout.size % layout.alignment == 0)
    #expect(layout.size >= TLSLayout.ownWords)
    #expect(layout.threadPointerBase &+ layout.size == 0)
  }

  /// The reserve is given out downwards, aligned, and never reaches Luci's own words.
  @Test func reserveEnds() throws {
    var layout = TLSLayout()
    layout.finish()
    let segment = TLSSegment(address: 0, fileOffset: 0, fileSize: 0, memorySize: 100, alignment: 32)
    var last = layout.size
    while let offset = layout.takeReserve(for: segment) {
      #expect(offset + 100 <= last)
      #expect((layout.size - offset) % 32 == 0)
      #expect(offset >= TLSLayout.ownWords)
      last = offset
    }
    #expect(last < layout.size)
    #expect(
      layout.takeReserve(for: TLSSegment(address: 0, fileOffset: 0, fileSize: 0, memorySize: 1, alignment: 4096))
        == nil)
  }
}

@Suite struct StandInTests {
  /// The image is a well-formed ELF object for readers of program headers, dynamic section, symbols and hashes.
  @Test func isReadable() throws {
    var variable: UInt64 = 0
    let place = withUnsafeMutablePointer(to: &variable) { UInt64(UInt(bitPattern: $0)) }
    var contents = StandIn.Contents()
    contents.needed = [Path("/lib/libc.so.6"), Path("/lib/libm.so.6")]
    contents.interpreter = Path("/lib64/ld-linux-x86-64.so.2")
    contents.tlsSize = 4096
    contents.tlsAlignment = 256
    contents.copies = [.init(name: Bytes("stdout"), address: place, size: 8)]
    contents.exports = [.init(name: "dlopen", address: 0x1234), .init(name: "dlsym", address: 0x5678)]
    contents.initFunction = 0x9000
    let standIn = try StandIn(contents)
    #expect(standIn.tlsImage % 256 == 0)
    let table = ProcessMemory.bytes(
      at: standIn.programHeaders, count: standIn.programHeaderCount * UInt64(MemoryLayout<Elf64_Phdr>.size))
    let segments = try Segments(table: table, at: 0, fileSize: 1 << 40)
    let object = try LoadedObject(
      role: .library, path: Path("stand-in"), name: [], bias: standIn.base, segments: segments,
      image: ObjectMapper.image(segments, bias: standIn.base), status: nil)
    #expect(try object.needed() == [Bytes("/lib/libc.so.6"), Bytes("/lib/libm.so.6")])
    let found = try #require(object.definition(of: SymbolName("dlsym"), version: nil))
    #expect(standIn.base &+ found.symbol.value == 0x5678)
    let copied = try #require(object.definition(of: SymbolName("stdout"), version: nil))
    #expect(standIn.base &+ copied.symbol.value == place && copied.symbol.size == 8)
    #expect(object.definition(of: SymbolName("dlopen2"), version: nil) == nil)
    #expect(segments.tls?.memorySize == 4096 && segments.tls?.alignment == 256)
    let relocations = try RelocationTable(object.image, object.dynamic.rela)
    #expect(relocations.count == 1 && relocations[0].type == UInt32(R_X86_64_COPY))
    #expect(standIn.base &+ relocations[0].offset == place)
    #expect(standIn.hostDebug == 0)
  }
}

@Suite struct HostRulesTests {
  @Test(arguments: ["libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6", "ld-linux-x86-64.so.2", "libc.musl-x86_64.so.1"])
  func hosts(name: String) {
    name.withCString { #expect(HostRules.isHostName(Bytes(cString: $0))) }
  }

  @Test(arguments: ["libc.so.6.old", "libcurl.so.4", "libcrypt.so.1", "xlibc.so.6"])
  func others(name: String) {
    name.withCString { #expect(!HostRules.isHostName(Bytes(cString: $0))) }
  }
}
