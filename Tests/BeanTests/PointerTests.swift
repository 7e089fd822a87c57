import Bean
import Foundation
import Testing

/// Words of state with another initial pointer, in variables whose address is handed out: what follows the new
/// version, if the program has not changed it, and what stands in the way.
@Suite struct PointerTests {
  /// A table of functions; `get` gives its address away.
  private static func library(
    entries: String, use: String = "if (t->second) return t->second(x); return -1;", more: String = "",
    type: String = "struct table"
  ) -> String {
    """
    struct table { const char *name; long (*first)(long); long (*second)(long); };
    static long one(long x) { return x * 7 - 1; }
    static long two(long x) { return x / 3 + 5; }
    static long three(long x) { return x ^ 0x1234; }
    long all(long x) { return one(x) ^ two(x) ^ three(x); }
    static \(type) shared = { \(entries) };
    \(type) *get(void) { return &shared; }
    long use(struct table *t, long x) { \(use) }
    \(more)
    """
  }

  private static let options = ["-O2", "-fno-inline", "-s"]

  private func verdict(_ old: String, _ new: String) throws -> Verdict {
    try CompiledPair(old, new, options: Self.options).verdict()
  }

  @Test func functionThatIsGone() throws {
    let verdict = try verdict(
      Self.library(entries: "\"table\", one, two"), Self.library(entries: "\"table\", one, 0"))
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.pointers.count == 1)
    var report = Text()
    report.append(verdict)
    #expect(String(decoding: report.bytes, as: UTF8.self).contains("pointers: 1 initial value is another one"))
  }

  @Test func functionThatIsNew() throws {
    let verdict = try verdict(
      Self.library(entries: "\"table\", one, 0"), Self.library(entries: "\"table\", one, two"))
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.pointers.count == 1)
  }

  @Test func anotherFunctionAndAnotherName() throws {
    let verdict = try verdict(
      Self.library(entries: "\"table\", one, two"), Self.library(entries: "\"board\", three, two"))
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.pointers.count == 2)
  }

  @Test func exportedName() throws {
    let source = { (name: String) in "const char *name = \"\(name)\"; const char *get(void) { return name; }" }
    let verdict = try verdict(source("first"), source("second"))
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.pointers.count == 1)
  }

  /// Code that only the old version has, may still run, and does not expect a null.
  @Test(arguments: [
    "long y = t->second(x); return y + 1;",
    "long (*f)(long) = t->second; if (x > 5) x = one(x); return f(x) + 2;",
    "long (*f)(long) = t->second; for (long i = 0; i < x; i++) if (i == 7) return f(i); return all(x);",
  ])
  func oldCodeThatCallsUntested(use: String) throws {
    let verdict = try verdict(
      Self.library(entries: "\"table\", one, two", use: use), Self.library(entries: "\"table\", one, 0"))
    #expect(verdict.codes == ["state-content"])
    #expect(verdict.text.contains("use (") && verdict.text.contains("may call through it without a test"))
  }

  @Test(arguments: [
    "if (!t->second) return 7; return t->second(x) + 1;",
    "long (*f)(long) = t->second; if (x > 5) x = one(x); if (!f) return x; return f(x) + 2;",
    "return t->first(x) + 1;",
  ])
  func oldCodeThatTests(use: String) throws {
    let verdict = try verdict(
      Self.library(entries: "\"table\", one, two", use: use), Self.library(entries: "\"table\", one, 0"))
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.pointers.count == 1)
  }

  /// The same instructions but for a number: the new version does that with a null, too.
  @Test func codeOfTheSameShape() throws {
    let use = { (number: Int) in "return t->second(x) + \(number);" }
    let verdict = try verdict(
      Self.library(entries: "\"table\", one, two", use: use(100)),
      Self.library(entries: "\"table\", one, 0", use: use(101)))
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.changed == 1)
  }

  @Test(arguments: [
    "void set(long (*f)(long)) { shared.second = f; }",
    "struct table *set(long (*f)(long)) { struct table *t = get(); __asm__(\"\" : \"+r\"(t)); t->second = f; return t; }",
    "void set(long (*f)(long)) { struct table *t = &shared; __asm__(\"\" : \"+r\"(t)); t->second = f; }",
  ])
  func whatTheLibraryWritesTo(setter: String) throws {
    let verdict = try verdict(
      Self.library(entries: "\"table\", one, two", more: setter),
      Self.library(entries: "\"table\", one, 0", more: setter))
    // Through the result of a call it can't be seen: then what the running process shows counts.
    #expect(verdict.accepted == setter.contains("get()"), "\(verdict.text)")
    #expect(verdict.codes == (verdict.accepted ? [] : ["state-content"]))
  }

  /// Entries that changed places: the table is another one.
  @Test func entriesThatChangedPlaces() throws {
    let verdict = try verdict(
      Self.library(entries: "\"table\", one, two"), Self.library(entries: "\"table\", two, one"))
    #expect(verdict.codes == ["state-content"])
    #expect(verdict.pointers.isEmpty)
  }

  @Test(arguments: ["\"table\", one, (void *)1", "(char *)all, one, two", "0, one, two"])
  func whatIsNeitherFunctionNorText(entries: String) throws {
    let verdict = try verdict(Self.library(entries: "\"table\", one, two"), Self.library(entries: entries))
    #expect(verdict.codes == ["state-content"], "\(verdict.text)")
  }

  /// Of thread-local storage each thread has its own copy: nobody can see whether one was changed.
  @Test func threadLocalTable() throws {
    let type = "__thread struct table"
    let source = { (entries: String) in
      Self.library(entries: entries).replacingOccurrences(of: "static struct table", with: "static \(type)")
    }
    let verdict = try verdict(source("\"table\", one, two"), source("\"table\", one, 0"))
    #expect(verdict.codes == ["state-content"])
  }
}
