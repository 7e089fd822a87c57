import Bean
import Foundation
import Testing

/// Exports, constructors, thread-local storage: what the rest of the process relies on.
@Suite struct ContractTests {
  @Test func aRemovedExportIsRefusedWhereItIsUsed() throws {
    let pair = try CompiledPair(
      "static int n; int keep(void) { return n++; } int gone(void) { return 7; }",
      "static int n; int keep(void) { return n++; }")
    let verdict = try pair.verdict()
    #expect(verdict.codes == ["export-missing"])
    #expect(verdict.missingExports.count == 1)
    #expect(verdict.missingExports.first?.kind == .absent)
    #expect(verdict.missingExports.first?.name == Bytes("gone"))
    #expect(try pair.verdict { (name, _) in name != Bytes("gone") }.accepted)
  }

  @Test func anExportOfAnotherTypeIsRefused() throws {
    let pair = try CompiledPair(
      "static int n; int keep(void) { return n++; } const int thing = 3;",
      "static int n; int keep(void) { return n++; } int thing(void) { return 3; }")
    let verdict = try pair.verdict()
    #expect(verdict.missingExports.first?.kind == .otherType)
    #expect(!verdict.accepted)
  }

  @Test func aDataExportOfAnotherSizeIsRefused() throws {
    let pair = try CompiledPair(
      "static int n; int keep(void) { return n++; } const int thing[4] = {3};",
      "static int n; int keep(void) { return n++; } const int thing[5] = {3};")
    #expect(try pair.verdict().missingExports.first?.kind == .otherSize)
  }

  static let constructor = """
    static int ready;
    BODY
    int isReady(void) { return ready; }
    """

  static func constructor(_ body: String) -> String {
    constructor.replacingOccurrences(of: "BODY", with: body)
  }

  @Test func constructors() throws {
    let none = Self.constructor("void start(void) { ready = 1; }")
    let one = Self.constructor("__attribute__((constructor)) static void start(void) { ready = 1; }")
    let other = Self.constructor("__attribute__((constructor)) static void start(void) { ready = 2; }")
    #expect(try CompiledPair(one, one).codes() == [])
    #expect(try CompiledPair(one, other).codes() == ["constructor-changed"])
    #expect(try CompiledPair(none, one).codes().contains("constructor-changed"))
  }

  static func threads(_ size: Int, _ value: Int = 5) -> String {
    """
    static __thread int initial = \(value);
    static __thread char buffer[\(size)];
    int next(void) { return initial++; }
    char *place(void) { return buffer; }
    """
  }

  @Test func threadLocalStorage() throws {
    #expect(try CompiledPair(Self.threads(16), Self.threads(16)).codes() == [])
    #expect(try CompiledPair(Self.threads(16), Self.threads(48)).codes().contains("tls-layout"))
    #expect(try CompiledPair(Self.threads(16), Self.threads(16, 6)).codes() == ["state-content"])
  }

  /// Offsets of the local-dynamic model stand in the code: only code that is the same is known to mean the same.
  @Test func changedCodeOfTheLocalDynamicModel() throws {
    let source = { (factor: Int) in
      """
      static __thread int a = 1, b = 2;
      int sum(int x) { a += x; b += x; return \(factor) * (a ^ b); }
      """
    }
    let options = CompiledPair.defaultOptions + ["-ftls-model=local-dynamic"]
    #expect(try CompiledPair(source(3), source(3), options: options).codes() == [])
    #expect(try CompiledPair(source(3), source(11), options: options).codes() == ["tls-layout"])
    let initialExec = CompiledPair.defaultOptions + ["-ftls-model=initial-exec"]
    #expect(try CompiledPair(source(3), source(3), options: initialExec).codes() == [])
  }

  /// Swapped thread-local variables: the GOT slots of the same code hold other offsets.
  @Test func swappedThreadLocalVariables() throws {
    let source = { (first: String, second: String) in
      """
      static __thread int \(first) = 1, \(second) = 1;
      int add(int x) { return one += x; }
      int scale(int x) { return two *= x * 5; }
      """
    }
    // In the local-dynamic model the offsets stand in the code, which is not the same then.
    for (model, code) in [("initial-exec", "code-disagrees"), ("local-dynamic", "tls-layout")] {
      let options = CompiledPair.defaultOptions + ["-fno-toplevel-reorder", "-ftls-model=" + model]
      let pair = try CompiledPair(source("one", "two"), source("two", "one"), options: options)
      #expect(try pair.codes() == [code], "\(model)")
    }
  }

  @Test func indirectFunctionsAreReported() throws {
    let source = """
      static int n;
      static int plain(int x) { return n += x; }
      static void *pick(void) { return plain; }
      int chosen(int) __attribute__((ifunc("pick")));
      """
    #expect(try CompiledPair(source, source).verdict().needsProgramThread)
    #expect(try !CompiledPair(VerdictTests.base, VerdictTests.base).verdict().needsProgramThread)
  }
}
