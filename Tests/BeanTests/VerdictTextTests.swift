import Bean
import Testing

@Suite struct VerdictTextTests {
  static func text(_ build: (inout Text) -> Void) -> String {
    var sink = Text()
    build(&sink)
    return String(decoding: sink.bytes, as: UTF8.self)
  }

  @Test func numbers() {
    #expect(Self.text { $0.append(decimal: 0) } == "0")
    #expect(Self.text { $0.append(decimal: UInt64.max) } == "18446744073709551615")
    #expect(Self.text { $0.append(decimal: Int.min) } == "-9223372036854775808")
    #expect(Self.text { $0.append(hex: 0) } == "0x0")
    #expect(Self.text { $0.append(hex: UInt64.max) } == "0xffffffffffffffff")
  }

  @Test func namesOfFilesDoNotSteerATerminal() {
    #expect(Self.text { $0.append(name: Bytes("a\u{1b}[2Jb\n")) } == "a?[2Jb?")
  }

  @Test func reasonsNameThePlace() throws {
    let pair = try CompiledPair(
      "static int n[4] = {1}; int *get(void) { return n; }", "static int n[6] = {1}; int *get(void) { return n; }")
    #expect(try pair.verdict().text.hasPrefix("state-size: .data has "))
    let gone = try CompiledPair("int a(void) { return 1; } int b(void) { return 2; }", "int a(void) { return 1; }")
    #expect(try gone.verdict().text == "export-missing: b is no longer exported")
  }

  @Test func theProofInOneLine() throws {
    let source = "static int n; int get(void) { return n++; }"
    let verdict = try CompiledPair(source, source, options: ["-O2", "-s", "-nostartfiles"]).verdict()
    let line = Self.text { $0.appendProof(verdict) }
    #expect(
      line.hasPrefix("proof: 1 functions compared, 1 equal, 0 changed, 0 added, 0 removed; 2 references to state, "))
    #expect(line.hasSuffix(" candidates explained"))
  }
}
