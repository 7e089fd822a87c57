import Bean
import Foundation
import Testing

/// Variables matched one by one where sections as a whole can't be shared.
@Suite struct VariableTests {
  /// Static variables in the order in which they are written.
  static let options = CompiledPair.defaultOptions + ["-fno-toplevel-reorder"]

  static func verdict(_ old: String, _ new: String, options: [String] = options) throws -> Verdict {
    try CompiledPair(old, new, options: options).verdict()
  }

  static func count(_ verdict: Verdict, _ kind: VariablePair.Kind) -> Int {
    verdict.variables.filter { $0.kind == kind }.count
  }

  /// Functions that say what each variable is.
  static let functions = """
    int first_add(int x) { return first += x; }
    long second_set(long x) { long before = second; second = x * 3; return before; }
    int table_get(int i) { return table[i & 7]++; }
    const char *word_get(void) { return word; }
    """

  static let variables = "static int first = 3; static long second = 7; static int table[8]; static char *word;\n"

  /// Only changed code uses the variable, and what it takes it to be has another size.
  @Test(arguments: [("int", "char", false), ("int", "int", true), ("long", "int", false), ("short", "int", false)])
  func aVariableOfAnotherSizeAtTheSamePlace(before: String, after: String, isAccepted: Bool) throws {
    let source = { (type: String, number: Int) in
      """
      static \(type) mode __attribute__((aligned(8)));
      static int other __attribute__((aligned(8)));
      void set(int x) { mode = x * \(number) > 40; }
      long get(void) { return mode + \(number); }
      int count(void) { return ++other; }
      """
    }
    let verdict = try Self.verdict(source(before, 3), source(after, 5))
    #expect(verdict.codes == (isAccepted ? [] : ["variable-moved"]), "\(verdict.text)")
  }

  /// All users of the one are gone, and all users of the other are new. Only where something says that they stand in for
  /// each other, or the content does, is it one variable.
  @Test(
    arguments: [
      ("first", "first", "int", "", true), ("first", "second", "int", "", false),
      ("first", "second", "char", "[32] = \"some text of its own\"", true),
    ])
  func usersThatAreAllOthers(before: String, after: String, type: String, rest: String, isAccepted: Bool) throws {
    // What only `user` calls lies beside it.
    let source = { (helper: String, name: String, user: String) in
      let define = "__attribute__((noinline)) static long \(name)(long x) { \(helper) }\n"
      let lines = ["first", "second"].map { function in
        (user == function ? define : "") + """
          int \(function)_before(int x) { return x * \(function.count) + 7; }
          long \(function)(long x) { return \(user == function ? name + "(x + 1)" : "x * 3") - \(function.count); }
          int \(function)_behind(int x) { return x / \(function.count) - 11; }

          """
      }
      return "static \(type) state\(rest);\n" + lines.joined()
    }
    let place = rest.isEmpty ? "state" : "state[x & 7]"
    let verdict = try Self.verdict(
      source("if (x > \(place)) \(place) = x; return \(place) * x ^ (x >> 3);", "largest", before),
      source("for (long i = 0; i < x; i++) \(place) += i & 5 ? 3 : 1; return \(place) % 1000;", "sum", after))
    #expect(verdict.codes == (isAccepted ? [] : ["variable-unplaced"]), "\(verdict.text)")
  }

  @Test func aNewVariableInTheMiddleMovesTheOthers() throws {
    let verdict = try Self.verdict(
      Self.variables + Self.functions,
      "static int first = 3; static int calls[4] = {1}; static long second = 7; static int hits; static int table[8];"
        + "static char *word;\n" + Self.functions + "int count(int x) { hits += x; return calls[x & 3]++ + hits; }")
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(Self.count(verdict, .new) == 2, "\(verdict.variables)")
    #expect(Self.count(verdict, .moved) >= 2)
    // References to new variables stay as they are; all others lead home.
    let fresh = verdict.variables.compactMap { $0.kind == .new ? $0.new : nil }
    #expect(!verdict.patches.contains { (patch) in fresh.contains { $0.contains(patch.newTarget) } })
    for patch in verdict.patches { #expect(verdict.mapping.old(for: patch.newTarget) == patch.oldTarget) }
  }

  @Test func aVariableThatIsGoneMovesTheOthers() throws {
    let verdict = try Self.verdict(
      "static int first = 3; static int calls[4] = {1}; static long second = 7; static int table[8]; static char *word;\n"
        + Self.functions + "static int count(int x) { return calls[x & 3]++; } int more(int x) { return count(x); }",
      Self.variables + Self.functions + "int more(int x) { return x; }")
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(Self.count(verdict, .gone) == 1)
  }

  @Test func aVariableThatGrewIsRefused() throws {
    let other = "static int other[4]; int other_get(int i) { return other[i & 3]++; }"
    for (old, new) in [("int table[8]", "int table[16]"), ("int table[8]", "long table[8]")] {
      let source = { (table: String) in
        "static int first; static \(table); static long second;\n\(other)"
          + "int first_add(int x) { return first += x; } long second_add(long x) { return second -= x; }"
          + "int table_get(int i) { return table[i & \(table.contains("16") ? 15 : 7)]++; }"
      }
      let verdict = try Self.verdict(source(old), source(new))
      #expect(!verdict.accepted)
      #expect(!Set(verdict.codes).isDisjoint(with: ["variable-grown", "variable-unplaced"]), "\(verdict.text)")
    }
  }

  /// What used it has changed beyond recognition, and calls something new that uses one of the same size.
  @Test func aVariableThatMayBeAnotherIsRefused() throws {
    let verdict = try Self.verdict(
      "static int mode; static long pad; int one(int x) { return mode = x; } long two(void) { return pad++; }",
      "static long pad; static long more; static int state;"
        + "__attribute__((noinline)) static int three(int x, int y) { state ^= x * y; return state + x; }"
        + "int one(int x) { return three(x, x + 7) * 3; } long two(void) { return pad++; }"
        + "long four(void) { return more--; }")
    #expect(!verdict.accepted)
    #expect(verdict.codes.contains("variable-unplaced"), "\(verdict.text)")
  }

  /// Names tell that it is another variable, although the code is the same and the place as well.
  @Test(arguments: [[], ["-Wl,-Bsymbolic"]])
  func anExportIsNotAnotherExport(_ options: [String]) throws {
    let source = "int first = 3, last = 9; int get(void) { return first++; } int end(void) { return last--; }"
    let pair = try CompiledPair(
      source, source.replacingOccurrences(of: "first", with: "fresh"), options: Self.options + options)
    let verdict = try pair.verdict { name, _ in name != Bytes("first") }
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(Self.count(verdict, .new) == 1 && Self.count(verdict, .gone) == 1, "\(verdict.variables)")
    // The same of functions: what the one used is not what the other uses.
    let other = "static int one = 3, two = 3; int one_get(void) { return ++one; } int two_get(void) { return ++two; }"
    let changed = other.replacingOccurrences(of: "one", with: "fresh")
    let functions = try CompiledPair(other, changed, options: Self.options + options)
      .verdict { name, _ in name != Bytes("one_get") }
    #expect(functions.counters.added == 1 && functions.counters.removed == 1)
  }

  /// Nothing of the same function uses both: one is gone, the other is new.
  @Test func aVariableOfAnotherFunctionIsNew() throws {
    let verdict = try Self.verdict(
      "static int mode; static long pad; int one(int x) { return mode = x; } long two(void) { return pad++; }",
      "static long pad; static int state; int one(int x) { return x; } long two(void) { return pad++; }"
        + "int three(int x, int y) { state ^= x * y; return state + x; }")
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(Self.count(verdict, .gone) == 1 && Self.count(verdict, .new) == 1, "\(verdict.variables)")
  }

  /// Two functions with the same code, of which only callers tell which is which.
  @Test func lookAlikesAreToldApartByTheirCallers() throws {
    let source = { (first: String, second: String) in
      """
      static int \(first), \(second);
      __attribute__((noinline)) static int bump_\(first)(void) { return ++\(first); }
      __attribute__((noinline)) static int bump_\(second)(void) { return ++\(second); }
      int one(int x) { return bump_a() * x + 1; }
      int two(int x) { return bump_b() - x * 5; }
      """
    }
    let verdict = try Self.verdict(source("a", "b"), source("b", "a"))
    // Bound by order alone, a and b would change places.
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(Self.count(verdict, .moved) == 2, "\(verdict.variables)")
  }

  /// The same without callers that are equal: whatever is shown must not be that they kept their places.
  @Test func lookAlikesThatNothingTellsApartAreNotSwapped() throws {
    let source = { (first: String, second: String, factor: Int) in
      """
      static int \(first) = 1, \(second) = 1, spare;
      __attribute__((noinline)) static int bump_\(first)(void) { return ++\(first); }
      __attribute__((noinline)) static int bump_\(second)(void) { return ++\(second); }
      int one(int x) { return bump_a() * x + \(factor); }
      int two(int x) { return bump_b() - x * \(factor + 4); }
      int three(void) { return spare++; }
      """
    }
    let verdict = try Self.verdict(source("a", "b", 1), source("b", "a", 2))
    let isRight = verdict.variables.filter { $0.kind == .moved }.count == 2
    #expect(!verdict.accepted || isRight, "\(verdict.variables)")
  }

  /// A text that code only reads counts with its new content.
  @Test func contentThatIsOnlyReadIsTheNewVersionsOwn() throws {
    let source = { (value: Int) in
      """
      static volatile int level = \(value);
      static int counter = 1;
      int get(void) { return level; }
      int count(void) { return ++counter; }
      """
    }
    let verdict = try Self.verdict(source(3), source(4))
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(Self.count(verdict, .content) == 1)
    let own = try #require(verdict.variables.first { $0.kind == .content }?.new)
    #expect(!verdict.patches.contains { own.contains($0.newTarget) })
    #expect(!verdict.patches.isEmpty)
  }

  /// The same, but something could write it: through a setter, a pointer, or its name.
  @Test func contentThatMayBeWrittenIsRefused() throws {
    for writer in [
      "void set(int x) { level = x; }", "volatile int *where(void) { return &level; }", "volatile int *at = &level;",
    ] {
      let source = { (value: Int) in
        "static volatile int level = \(value); int get(void) { return level; } \(writer)"
      }
      #expect(try Self.verdict(source(3), source(4)).codes == ["state-content"], "\(writer)")
    }
    let exported = { (value: Int) in "int level = \(value); int get(void) { return level; }" }
    #expect(try Self.verdict(exported(3), exported(4)).codes == ["state-content"])
  }

  /// Pointers in data and in constants lead to the variables' homes as well.
  @Test func pointersInDataAreFollowed() throws {
    let source = { (middle: String, more: String) in
      """
      struct entry { const char *name; int *value; };
      static int low = 1; \(middle) static int high[3] = {5, 6, 7};
      static const struct entry entries[] = {{"low", &low}, {"high", high}};
      static int *chosen = &high[1];
      int get(int i) { return *entries[i].value; }
      int next(void) { return *chosen++; }
      \(more)
      """
    }
    let verdict = try Self.verdict(
      source("", ""), source("static int middle[8] = {1};", "int mid(int i) { return middle[i]++; }"))
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.variables.contains { $0.kind == .moved && $0.evidence == .pointer }, "\(verdict.variables)")
  }

  /// Sides may be exchanged: what is new one way is gone the other way, and pairs are the same.
  @Test func theOtherWayRoundIsTheSame() throws {
    let more = Self.functions + "static int hits[3]; int count(int x) { return hits[x]++; }"
    let pair = try CompiledPair(Self.variables + Self.functions, Self.variables + more, options: Self.options)
    let there = VersionMatch(try Binary(pair.old), try Binary(pair.new)).variables
    let back = VersionMatch(try Binary(pair.new), try Binary(pair.old)).variables
    let pairs = { (all: [VariablePair], isBack: Bool) in
      Set(
        all.compactMap { (pair) -> String? in
          guard let old = pair.old?.start, let new = pair.new?.start else { return nil }
          return isBack ? "\(new) \(old)" : "\(old) \(new)"
        })
    }
    #expect(!pairs(there, false).isEmpty)
    #expect(pairs(there, false) == pairs(back, true))
    #expect(there.filter { $0.kind == .new }.count == back.filter { $0.kind == .gone }.count)
  }
}
