import Bean
import Testing

@Suite struct FunctionMapTests {
  static let libraries = ["libc.so.6", "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libz.so.1"]

  /// What must hold for every input: order, no overlap, and padding and undecoded runs only between functions.
  static func isConsistent(_ map: FunctionMap) -> Bool {
    var runs = map.functions.map(\.range)
    var position: UInt64 = 0
    for run in runs {
      if run.isEmpty || run.start < position { return false }
      position = run.end
    }
    runs += map.padding + map.undecoded + map.outsideSections
    runs.sort { $0.start < $1.start }
    position = 0
    for run in runs {
      if run.isEmpty || run.start < position { return false }
      position = run.end
    }
    return true
  }

  /// Of compiled libraries everything is understood.
  @Test(arguments: libraries) func coverage(_ name: String) throws {
    guard let bytes = TestFile.library(name) else { return }
    let file = try ObjectFile(bytes)
    let map = try FunctionMap(file)
    #expect(Self.isConsistent(map))
    #expect(map.undecoded.isEmpty, "\(map.undecoded)")
    let total = try file.sections().all.reduce(UInt64(0)) { $1.isExecutable ? $0 + $1.size : $0 }
    #expect(map.functionByteCount + map.paddingByteCount + map.undecodedByteCount == total)
    #expect(map.byteCount(.unwind) * 100 > total * 90)
  }

  /// libcrypto has tables between its assembly functions. They must not pass for code.
  @Test func tablesInTextAreNotCode() throws {
    guard let bytes = TestFile.library("libcrypto.so.3") else { return }
    let map = try FunctionMap(ObjectFile(bytes))
    #expect(Self.isConsistent(map))
    #expect(map.undecodedByteCount > 10000)
    #expect(map.byteCount(.gap) < 1000)
  }

  @Test func everyFunctionSymbolIsCovered() throws {
    guard let bytes = TestFile.library("libc.so.6") else { return }
    let file = try ObjectFile(bytes)
    let map = try FunctionMap(file)
    var count = 0
    for index in 0..<file.symbols.limit {
      guard let symbol = file.symbols[index], symbol.isFunction, !symbol.isUndefined else { continue }
      count += 1
      #expect(map.index(containing: symbol.value) != nil)
    }
    #expect(count > 2000)
    #expect(map.index(containing: 0) == nil)
    #expect(map.index(containing: UInt64.max) == nil)
  }

  static let source = """
    #include <cstdlib>
    static int counter;
    __attribute__((constructor)) static void setup() { counter = 1; }
    __attribute__((noinline, cold)) static void rare() { counter++; std::abort(); }
    extern "C" int value(int x) { if (x > 1000) rare(); return counter + std::rand(); }
    asm(".text\\n.globl hidden\\n.type hidden,@function\\nhidden: mov %edi, %eax\\nret\\n.size hidden, .-hidden\\n"
        ".balign 16\\nnameless: xor %eax, %eax\\nret\\n.balign 16\\n.byte 0x06, 0x07, 0x0e\\n");
    """

  /// A compiled file before and after it is stripped: the same addresses are covered.
  @Test func functionsWithoutTables() throws {
    let (path, bytes) = try #require(try TestTool.compile(Self.source, ["-Wl,-z,now"]))
    let names = try #require(TestTool.run(["nm", path]))
    var address: [String: UInt64] = [:]
    for line in names.split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count == 3 { address[String(fields[2])] = UInt64(fields[0], radix: 16) }
    }
    let map = try FunctionMap(ObjectFile(bytes))
    #expect(Self.isConsistent(map))
    func function(at name: String, _ map: FunctionMap) -> Function? {
      guard let start = address[name], let index = map.index(containing: start) else { return nil }
      return map.functions[index].range.start == start ? map.functions[index] : nil
    }
    #expect(function(at: "value", map)?.source == .unwind)
    #expect(function(at: "hidden", map)?.source == .symbol)
    #expect(function(at: "hidden", map)?.range.count == 3)
    #expect(function(at: "deregister_tm_clones", map) != nil)
    #expect(
      function(at: "__do_global_dtors_aux", map)?.source == .initFini
        || function(at: "__do_global_dtors_aux", map)?.source == .symbol)
    #expect(function(at: "_init", map) != nil)
    // The three bytes are no instructions, and what is before them in the same gap counts with them.
    let nameless = try #require(address["nameless"])
    #expect(map.undecoded.contains { $0.contains(nameless + 16) })
    #expect(map.byteCount(.plt) > 0)

    _ = try #require(TestTool.run(["strip", path]))
    let stripped = try #require(TestFile.read(path))
    let bare = try FunctionMap(ObjectFile(stripped))
    #expect(Self.isConsistent(bare))
    #expect(function(at: "value", bare)?.source == .unwind)
    #expect(function(at: "hidden", bare)?.source == .symbol)
    #expect(function(at: "__do_global_dtors_aux", bare)?.source == .initFini)
    #expect(function(at: "frame_dummy", bare)?.source == .initFini)
    #expect(function(at: "deregister_tm_clones", bare)?.source == .gap)
    #expect(function(at: "register_tm_clones", bare) != nil)
  }

  /// Deterministic damage all over a real library, its tables above all: errors are fine, traps are not, and what
  /// comes out is consistent.
  /// Without the pointer, the jump makes the two one function.
  @Test(arguments: [[], ["-Wl,-z,pack-relative-relocs"]])
  func functionsThatOnlyPointersLeadTo(_ options: [String]) throws {
    let assembly = """
      asm(".text\\nfirst: test %edi, %edi\\nje second\\nxor %eax, %eax\\nret\\nsecond: mov %edi, %eax\\nret\\n"
          ".globl size\\n.type size,@function\\nsize: mov $second - first, %eax\\nret\\n.size size, .-size\\n");
      """
    for (pointers, count) in [("first, second", 2), ("first, first", 1)] {
      let table = "asm(\".section .data.rel.ro,\\\"aw\\\"\\n.balign 8\\n.quad \(pointers)\\n.text\\n\");"
      let built = try #require(try TestTool.compile(assembly + table, ["-s", "-fno-exceptions"] + options))
      let map = try FunctionMap(try ObjectFile(built.bytes))
      #expect(Self.isConsistent(map))
      // Of 7 and 3 bytes.
      let found = map.functions.filter { $0.source == .gap && [7, 3, 10].contains($0.range.count) }
      #expect(found.count == count, "\(map.functions)")
    }
  }

  @Test func damagedFiles() throws {
    guard let bytes = TestFile.library("libz.so.1") else { return }
    let original = bytes.copy()
    let file = try ObjectFile(bytes)
    var hot = [0..<0x40, 0x40..<0x40 + 56 * file.header.programHeaderCount]
    let headers = Int(file.header.sectionHeaderOffset)
    hot.append(headers..<headers + 64 * file.header.sectionHeaderCount)
    for section in try file.sections().all where !section.isNoBits && section.size != 0 && !section.isExecutable {
      hot.append(Int(section.fileOffset)..<Int(section.fileOffset + section.size))
    }
    let words: [UInt64] = [
      0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 47, UInt64(Int64.max), 1 << 63, UInt64.max,
    ]
    var random = TestRandom(0x1eaf)
    var accepted = 0
    for round in 0..<400 {
      var content = original
      for _ in 0...random.below(3) {
        let range = hot[random.below(hot.count)]
        let offset = range.lowerBound + random.below(range.count)
        let word = random.below(2) == 0 ? words[random.below(words.count)] : random.next()
        for index in 0..<[1, 2, 4, 8][random.below(4)] where offset + index < content.count {
          content[offset + index] = UInt8(truncatingIfNeeded: word >> UInt64(index * 8))
        }
      }
      if round % 8 == 7 { content.removeLast(random.below(content.count)) }
      content.withUnsafeBytes { buffer in
        guard let file = try? ObjectFile(Bytes(buffer)), let map = try? FunctionMap(file) else { return }
        accepted += 1
        #expect(Self.isConsistent(map), "round \(round)")
      }
    }
    #expect(accepted > 20 && accepted < 400)
  }

  /// 60,000 section headers that all call the same code .plt: memory stays within a small multiple of the file.
  @Test func manySectionsOverOneRange() throws {
    guard let bytes = TestFile.library("libstdc++.so.6") else { return }
    let file = try ObjectFile(bytes)
    let sections = try file.sections()
    let table = Int(file.header.sectionHeaderOffset)
    func header(_ name: String) throws -> [UInt8] {
      let index = try #require(sections.all.firstIndex { $0.name.copy() == [UInt8](name.utf8) })
      return [UInt8](bytes.copy()[(table + index * 64)..<(table + index * 64 + 64)])
    }
    let names = try header(".shstrtab")
    // The name and type of .plt with the place of .text.
    let plt = [UInt8](try header(".plt")[0..<16] + header(".text")[16..<64])
    var content = bytes.copy()
    let start = content.count
    content += names
    for _ in 0..<60000 { content += plt }
    for (index, byte) in withUnsafeBytes(of: UInt64(start), [UInt8].init).enumerated() { content[40 + index] = byte }
    for (index, byte) in withUnsafeBytes(of: UInt16(60001), [UInt8].init).enumerated() { content[60 + index] = byte }
    content[62] = 0
    content[63] = 0
    let map = try FunctionMap(ObjectFile(TestFile.keep(content)))
    #expect(Self.isConsistent(map))
    #expect(map.byteCount(.plt) > 100_000)
  }

  @Test func randomBytes() {
    var random = TestRandom(42)
    for _ in 0..<200 {
      var content = [UInt8]()
      for _ in 0..<512 { content.append(UInt8(truncatingIfNeeded: random.next() >> 32)) }
      content.withUnsafeBytes { buffer in
        let code = Bytes(buffer)
        for offset in -1...code.count {
          guard let found = InstructionDecoder.decode(code, at: offset) else { continue }
          #expect(found.length > 0 && found.length <= 15 && offset + Int(found.length) <= code.count)
          #expect(found.displacementOffset + found.displacementSize <= found.length)
          #expect(found.immediateOffset + found.immediateSize <= found.length)
        }
        #expect(throws: ELFError.self) { try FunctionMap(ObjectFile(code)) }
      }
    }
  }
}
