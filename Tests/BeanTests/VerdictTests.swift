import Bean
import Foundation
import Testing

/// What may and what may not differ between two versions that share state.
@Suite struct VerdictTests {
  static let base = """
    static int counter = 3;
    static int limit = 4;
    static char buffer[64];
    static int helper(int x) { return x * 3 + counter; }
    int step(int x) { counter += x; return helper(x) + limit + buffer[x & 63]++; }
    int get(void) { return limit; }
    void set(int x) { limit = x; }
    """

  static func changed(_ from: String, _ to: String) -> String { base.replacingOccurrences(of: from, with: to) }

  @Test func aVersionAcceptsItself() throws {
    let pair = try CompiledPair(Self.base, Self.base)
    let verdict = try pair.verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.changed == 0 && verdict.counters.added == 0 && verdict.counters.removed == 0)
    #expect(verdict.counters.references > 0)
    #expect(verdict.patches.allSatisfy { $0.newTarget == $0.oldTarget })
  }

  @Test func otherPaddingIsAccepted() throws {
    let pair = try CompiledPair(
      Self.base, Self.base, newOptions: CompiledPair.defaultOptions + ["-falign-functions=64"])
    let verdict = try pair.verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.references > 0)
  }

  @Test func aChangedConstantInCodeIsAccepted() throws {
    let verdict = try CompiledPair(Self.base, Self.changed("x * 3", "x * 5")).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.changed > 0)
  }

  @Test func aNewFunctionIsAccepted() throws {
    let verdict = try CompiledPair(Self.base, "int added(int x) { return x ^ 77; }\n" + Self.base).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.added == 1)
  }

  @Test func patchesLeadHome() throws {
    let new = "int more(const char *s) { int n = 0; while (*s) n += *s++; return n; }\n" + Self.base
    let pair = try CompiledPair(Self.base, new, newOptions: CompiledPair.defaultOptions + ["-Wl,-z,lazy"])
    let verdict = try pair.verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    let image = try ObjectFile(pair.new).image
    for patch in verdict.patches {
      let displacement = try #require(image.load(Int32.self, at: patch.fieldAddress))
      #expect(patch.instructionEnd &+ UInt64(bitPattern: Int64(displacement)) == patch.newTarget)
      #expect(verdict.mapping.old(for: patch.newTarget) == patch.oldTarget)
    }
  }

  @Test func aLargerVariableIsRefused() throws {
    let pair = try CompiledPair(Self.base, Self.changed("buffer[64]", "buffer[128]"))
    #expect(try pair.codes().contains("state-size"))
  }

  @Test func aChangedInitialValueIsRefused() throws {
    let verdict = try CompiledPair(Self.base, Self.changed("limit = 4", "limit = 9")).verdict()
    #expect(verdict.codes == ["state-content"])
    #expect(verdict.reasonCount == 1)
  }

  /// Two variables of the same size change places: sections look the same, the code tells.
  @Test func swappedVariablesAreFollowed() throws {
    let source = { (first: String, second: String) in
      """
      struct all { int a, b; };
      static int \(first), \(second);
      int add(int x) { one += x; return one; }
      int other(int x) { two -= x * 7; return two; }
      """
    }
    let options = CompiledPair.defaultOptions + ["-fno-toplevel-reorder"]
    let pair = try CompiledPair(source("one", "two"), source("two", "one"), options: options)
    let verdict = try pair.verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.variables.filter { $0.kind == .moved }.count == 2)
    #expect(verdict.patches.contains { $0.newTarget != $0.oldTarget })
  }

  /// The same, with every function that could tell changed as well.
  @Test func swappedVariablesOfChangedFunctionsAreRefused() throws {
    let source = { (first: String, second: String, factor: Int) in
      """
      static int \(first), \(second);
      int add(int x) { one += x * \(factor); return one; }
      int other(int x) { two -= x * \(factor + 20); return two; }
      """
    }
    let options = CompiledPair.defaultOptions + ["-fno-toplevel-reorder"]
    let same = try CompiledPair(source("one", "two", 7), source("one", "two", 11), options: options).verdict()
    #expect(same.accepted, "\(same.text)")
    #expect(same.counters.changed == 2)
    let swapped = try CompiledPair(source("one", "two", 7), source("two", "one", 11), options: options).verdict()
    #expect(swapped.codes == ["code-disagrees"], "\(swapped.text)")
  }

  @Test func exportedVariablesThatMovedAreFollowed() throws {
    let options = CompiledPair.defaultOptions + ["-fno-toplevel-reorder"]
    let pair = try CompiledPair(
      "int one = 5, two = 5; int *get(int x) { return x ? &one : &two; }",
      "int two = 5, one = 5; int *get(int x) { return x ? &one : &two; }", options: options)
    let verdict = try pair.verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.variables.filter { $0.kind == .moved && $0.evidence == .name }.count == 2)
  }

  @Test func anOldVersionWithoutStateLetsTheNewOneBringItsOwn() throws {
    // crtstuff.c brings a byte of .bss of its own.
    let options = ["-O2", "-s", "-nostartfiles"]
    let pair = try CompiledPair(
      "int twice(int x) { return 2 * x; }", "static int n; int twice(int x) { return n += x; }", options: options)
    let verdict = try pair.verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.newOwnsState)
    #expect(verdict.patches.isEmpty)
  }

  @Test func thePerVersionOrderIsDeterministic() throws {
    let pair = try CompiledPair(Self.base, Self.changed("x * 3", "x * 5"))
    let (first, second) = (try pair.verdict(), try pair.verdict())
    #expect(first.patches == second.patches)
    #expect(first.functionMap == second.functionMap)
    #expect(first.counters == second.counters)
  }

  @Test func withoutSectionHeadersNothingIsKnown() throws {
    let pair = try CompiledPair(Self.base, Self.base)
    var stripped = pair.new.copy()
    for index in 40..<48 { stripped[index] = 0 }
    for index in 60..<64 { stripped[index] = 0 }
    try Self.expectRefusal(of: stripped, after: pair.old, "no-sections")
  }

  @Test func anExecutableIsNoLibrary() throws {
    let pair = try CompiledPair(Self.base, Self.base)
    var executable = pair.new.copy()
    executable[16] = 2  // e_type: ET_EXEC
    try Self.expectRefusal(of: executable, after: pair.old, "not-position-independent")
  }

  /// No setting lets it pass either.
  private static func expectRefusal(of file: [UInt8], after old: Bytes, _ code: String) throws {
    try file.withUnsafeBytes { (bytes) in
      let verdict = try Bean.compare(old: old, new: Bytes(bytes))
      #expect(verdict.codes == [code])
      for level in 0...3 { #expect(!verdict.isAccepted(relaxation: UInt64(level))) }
      #expect(!verdict.isContentOnly && !verdict.isApplicable)
    }
  }
}

/// LD_RELAX_CHECK, LD_DEPENDENCY_CHECK, and hooks.
@Suite struct PolicyTests {
  /// State of another size: refused, unless the old version hands it out and the new one takes it.
  @Test(arguments: [(true, true, true), (true, false, false), (false, true, false)])
  func hooksTakeState(serializes: Bool, deserializes: Bool, isApplicable: Bool) throws {
    let serialize = serializes ? "void *__luci_serialize(int affected) { return 0; }" : ""
    let deserialize = deserializes ? "void __luci_deserialize(void *state) {}" : ""
    let code = " int f(int i) { return ++a[i]; } " + serialize + deserialize
    let verdict = try CompiledPair("static int a[4] = {1};" + code, "static int a[40] = {1};" + code).verdict()
    #expect(!verdict.accepted)
    #expect(verdict.isApplicable == isApplicable, "\(verdict.text)")
    var report = Text()
    report.append(verdict)
    #expect(String(decoding: report.bytes, as: UTF8.self).hasPrefix(isApplicable ? "applicable\n" : "refused\n"))
    // Blocks of threads exist already.
    let threads = try CompiledPair(
      "static int a[4] = {1}; __thread int t;" + code, "static int a[40] = {1}; __thread int t[9];" + code)
    #expect(try !threads.verdict().isApplicable)
  }

  /// Variables of equal size that change places under unchanged code.
  static let swapped = (
    "static int a = 1, b = 2; int get(void) { return a++; } void set(int x) { b = x; } int other(void) { return b; }",
    "static int a = 1, b = 2; int get(void) { return b++; } void set(int x) { a = x; } int other(void) { return a; }"
  )

  @Test func relaxation() throws {
    let verdict = try CompiledPair(Self.swapped.0, Self.swapped.1).verdict()
    #expect(verdict.codes == ["code-disagrees"], "\(verdict.text)")
    #expect((0...3).map { verdict.isAccepted(relaxation: UInt64($0)) } == [false, false, false, true])
    let sizes = try CompiledPair(
      "static int a[4] = {1}; int f(int i) { return a[i]++; }",
      "static int a[40] = {1}; int f(int i) { return a[i]++; }"
    )
    .verdict()
    #expect(!sizes.isAccepted(relaxation: 3))
  }

  @Test func changedCalleesCountForCallers() throws {
    let source = { (factor: Int) in
      """
      static int ready;
      static __attribute__((noinline)) int leaf(int x) { return x * \(factor) + ready; }
      __attribute__((noinline)) int middle(int x) { return leaf(x) - 1; }
      __attribute__((constructor)) static void start(void) { ready = middle(2); }
      int apart(int x) { return x + ready; }
      """
    }
    let pair = try CompiledPair(source(3), source(5), options: ["-O1", "-fno-inline"])
    let plain = try pair.verdict()
    #expect(plain.accepted && plain.counters.changed == 1, "\(plain.text)")
    let strict = Bean.compare(
      old: try Binary(pair.old), new: try Binary(pair.new), countsChangesForCallers: true)
    #expect(strict.counters.changed == 3)
    #expect(strict.codes == ["constructor-changed"], "\(strict.text)")
  }
}
