import Bean
import Foundation
import Testing

/// The proof that no reference to state was missed.
@Suite struct ProofTests {
  /// Bytes in .text that look like a reference and are no code: `lea variable(%rip), %rax` behind an invalid opcode.
  static func assembly(_ hidden: String) -> String {
    """
      .text
      .globl get
      .type get, @function
    get:
      .cfi_startproc
      mov variable(%rip), %eax
      ret
      .cfi_endproc
      .size get, . - get
      .p2align 4
      \(hidden)
      .p2align 4
      .globl set
      .type set, @function
    set:
      .cfi_startproc
      mov %edi, variable(%rip)
      ret
      .cfi_endproc
      .size set, . - set
      .bss
      .zero 64
      .p2align 2
    variable:
      .zero 4
      .zero 60
      .section .note.GNU-stack,"",@progbits
    """
  }

  @Test func aCandidateInUndecodedBytesIsRefused() throws {
    let hidden = ".byte 0x06, 0x06, 0x06, 0x06\n .long variable - . - 4\n .byte 0x06, 0x06, 0x06, 0x06"
    let pair = try CompiledPair(Self.assembly(""), Self.assembly(hidden), language: "S")
    let verdict = try pair.verdict()
    #expect(verdict.codes == ["binding-unproved"], "\(verdict.text)")
    #expect(verdict.isUnprovedOnly)
  }

  @Test func bytesThatReachNothingAreAccepted() throws {
    let hidden = ".byte 0x06, 0x06, 0x06, 0x06\n .long 0x12345678\n .byte 0x06, 0x06, 0x06, 0x06"
    let verdict = try CompiledPair(Self.assembly(""), Self.assembly(hidden), language: "S").verdict()
    #expect(verdict.accepted, "\(verdict.text)")
  }

  /// Code that no table names is believed only where the old version has it as well.
  @Test func newCodeWithoutUnwindTable() throws {
    let hidden = "lea variable(%rip), %rax\n ret"
    #expect(try CompiledPair(Self.assembly(""), Self.assembly(hidden), language: "S").codes() == ["binding-unproved"])
    let verdict = try CompiledPair(Self.assembly(hidden), Self.assembly(hidden), language: "S").verdict()
    #expect(verdict.accepted, "\(verdict.text)")
  }

  /// The same bytes in the old version, from where they reach something else, are data.
  @Test func theOldVersionRefutesATable() throws {
    let table = { (distance: String) in
      """
      .byte 0x06, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x06, 0x19, 0x2a, 0x3b, 0x4c, 0x5d, 0x6e, 0x7f
      .long \(distance)
      .byte 0x06, 0x06, 0x06, 0x06, 0x11, 0x22, 0x33, 0x44, 0x06, 0x06, 0x06, 0x06, 0x06, 0x06, 0x06, 0x06
      """
    }
    // How far the variable is from the table in a version of the same shape.
    let probe = try CompiledPair(Self.assembly(""), Self.assembly(table("variable - . - 4")), language: "S")
    let reason = try #require(try probe.verdict().reasons.first)
    let place = try #require(reason.function?.address)
    let raw = try #require(try ObjectFile(probe.new).image.load(Int32.self, at: place))
    // Another function in front moves the table away from the variable.
    let old = Self.assembly(table("\(raw)")).replacingOccurrences(
      of: "  .text",
      with: "  .text\n  .globl first\n  .type first, @function\nfirst: .cfi_startproc\n .zero 64, 0x90\n"
        + " ret\n .cfi_endproc\n .size first, . - first\n .p2align 4")
    let pair = try CompiledPair(old, Self.assembly(table("\(raw)")), language: "S")
    let verdict = try pair.verdict { (name, _) in name != Bytes("first") }
    #expect(verdict.accepted, "\(verdict.text)")
  }

  @Test func codeOfTheLargeModelIsRefused() throws {
    let source = "static int n; int next(int x) { return n += x; }"
    let options = CompiledPair.defaultOptions + ["-mcmodel=large"]
    #expect(try CompiledPair(source, source, options: options).codes().contains("large-model"))
  }

  /// A loop that runs from an array's end, or computes an element before its start.
  @Test func addressesBesideAnArray() throws {
    let source = { (value: Int) in
      """
      static int table[100];
      int *end(void) { return table + 100; }
      int *before(void) { return table - 1; }
      int fill(int x) { for (int i = 0; i < 100; i++) table[i] += x * \(value); return table[x]; }
      """
    }
    let verdict = try CompiledPair(source(3), source(9)).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.changed > 0)
  }

  @Test func relativeTablesInConstants() throws {
    let source = { (factor: Int) in
      """
      static int one = 1, two = 2;
      extern const int table[2] __attribute__((visibility("hidden")));
      asm(".section .rodata\\n .p2align 2\\n .globl table\\n .hidden table\\ntable: .long one - table, two - table\\n"
          ".text");
      int *pick(long i) { return (int *)((char *)table + table[i]); }
      int use(int x) { one += x; two *= x; return \(factor); }
      """
    }
    let options = ["-O2", "-s", "-fno-toplevel-reorder"]
    #expect(try CompiledPair(source(1), source(2), options: options).codes() == ["binding-unproved"])
  }

  /// libgs has one place where a number in memory, times 16, is added to where it lies: an index, and no distance.
  @Test func indicesAreNoDistances() throws {
    let source = { (scale: Int, factor: Int) in
      """
      static int one = 1;
      extern const int table[2] __attribute__((visibility("hidden")));
      asm(".section .rodata\\n .p2align 2\\n .globl table\\n .hidden table\\ntable: .long one - table, 7\\n .text");
      char *pick(int *p) { return (char *)p + *p * \(scale)L; }
      int look(void) { return table[1] == 7; }
      int use(int x) { one += x; return \(factor); }
      """
    }
    let options = ["-O2", "-s", "-fno-toplevel-reorder"]
    #expect(try CompiledPair(source(1, 1), source(1, 2), options: options).codes() == ["binding-unproved"])
    let verdict = try CompiledPair(source(16, 1), source(16, 2), options: options).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
  }

  /// In libvips another number, from the stack, is added to the place that one was loaded from. One that may have been
  /// put there before is the same number.
  @Test(arguments: [
    ("mov 8(%rsp), %rdx", true), ("mov %rdx, -8(%rsi)\n mov 8(%rsp), %rdx", true),
    ("mov %rdx, 8(%rsp)\n mov 8(%rsp), %rdx", false), ("nop", false),
  ])
  func anotherNumberIsAdded(between: String, isAccepted: Bool) throws {
    let source = Self.assembly("") + """

      .section .rodata
      .p2align 2
      .long variable - ., 7
      .text
      .globl add
      .type add, @function
      add:
      .cfi_startproc
      movslq (%rdi), %rdx
      \(between)
      add %rdx, %rdi
      mov %rdi, %rax
      ret
      .cfi_endproc
      .size add, . - add
      """
    let verdict = try CompiledPair(source, source, language: "S").verdict()
    #expect(verdict.accepted == isAccepted, "\(verdict.text)")
  }

  /// Unwind tables lead to the address of the personality routine through a word in .data.
  @Test func wordsThatUnwindTablesRead() throws {
    let source = """
      static int depth = 1;
      struct guard { ~guard() { depth--; } };
      extern "C" void callback(void);
      extern "C" int enter(int x) { guard g; depth += x; try { callback(); } catch (int) { return 1; } return depth; }
      """
    let verdict = try CompiledPair(source, source, options: ["-O2", "-s", "-lstdc++"], language: "cpp").verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(!verdict.unwindWords.isEmpty)
    #expect(verdict.unwindWords.allSatisfy { verdict.mapping.old(for: $0) != nil })
  }

  /// A reference beside a table: the code as a whole does not decode, but the old version has the same bytes with a
  /// value that changed with the distance.
  @Test func theOldVersionConfirmsAReference() throws {
    let hidden = """
      mov variable(%rip), %eax
      mov $0x80100, %ecx
      mov $0, %edx
      and %eax, %ecx
      ret
      .byte 0x06, 0x06, 0x06, 0x06
      """
    let source = Self.assembly(" xor %edx, %edx\n mov $77, %r8d\n ret\n" + hidden)
    let grown = source.replacingOccurrences(
      of: "get:\n  .cfi_startproc", with: "get:\n  .cfi_startproc\n .zero 64, 0x90")
    #expect(source != grown)
    let verdict = try CompiledPair(source, grown, language: "S").verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    // get, hidden, set, and those of crtstuff.c.
    let places = Set(
      verdict.patches.filter { verdict.mapping.pieces.last?.new.contains($0.newTarget) ?? false }.map(\.newTarget))
    let variable = try #require(places.max())
    #expect(verdict.patches.filter { $0.newTarget == variable }.count == 3)
  }

  /// Headers and constants lie in the executable segment then; p_filesz and the like reach anything by chance.
  @Test func objectsWithoutSeparateCode() throws {
    let source = """
      static char large[0x200000];
      char *get(long i) { return large + i; }
      """
    let options = CompiledPair.defaultOptions + ["-Wl,-z,noseparate-code"]
    let verdict = try CompiledPair(source, source, options: options).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.candidates > 0)
  }
}
