import Bean
import Foundation
import Testing

/// Initial content means what its pointers refer to.
@Suite struct ContentTests {
  @Test func pointerToTheSameStringElsewhere() throws {
    let source = { (extra: String) in
      """
      const char *other(int x) { return x ? "\(extra)" : "something else altogether"; }
      static const char *name = "the name";
      const char *get(void) { return name; }
      void set(const char *s) { name = s; }
      """
    }
    let verdict = try CompiledPair(source("a"), source("a much longer string than before")).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
  }

  @Test func pointerToAnotherString() throws {
    let source = { (name: String) in
      """
      static const char *name = "\(name)";
      const char *get(void) { return name; }
      void set(const char *s) { name = s; }
      """
    }
    let pair = try CompiledPair(source("the name"), source("the mane"))
    #expect(try pair.codes() == ["state-content"])
  }

  static let callbacks = """
    static int first(int x) { return x * 7 - 1; }
    static int second(int x) { return x / 3 + 5; }
    static int (*callback)(int) = CALLBACK;
    int call(int x) { return callback(x); }
    int both(int x) { return first(x) ^ second(x); }
    void set(int (*f)(int)) { callback = f; }
    """

  static func callbacks(_ name: String) -> String {
    callbacks.replacingOccurrences(of: "CALLBACK", with: name)
  }

  static let options = ["-O1", "-fno-inline", "-s"]

  @Test func pointerToAFunctionThatMoved() throws {
    let new = "int early(int x) { return x + 1000; }\n" + Self.callbacks("first")
    let verdict = try CompiledPair(Self.callbacks("first"), new, options: Self.options).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
  }

  @Test func pointerToAFunctionThatChanged() throws {
    let new = Self.callbacks("first").replacingOccurrences(of: "x * 7 - 1", with: "x * 9 - 4")
    let verdict = try CompiledPair(Self.callbacks("first"), new, options: Self.options).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.changed == 1)
  }

  @Test func pointerToAnotherFunction() throws {
    let pair = try CompiledPair(Self.callbacks("first"), Self.callbacks("second"), options: Self.options)
    #expect(try pair.codes() == ["state-content"])
  }

  @Test func constantsBehindAPointerAreCompared() throws {
    let source = { (value: Int) in
      """
      struct entry { const char *name; int values[4]; };
      static const struct entry table = { "entry", { 1, 2, 3, \(value) } };
      static const struct entry *current = &table;
      const struct entry *get(void) { return current; }
      void set(const struct entry *e) { current = e; }
      """
    }
    #expect(try CompiledPair(source(4), source(4)).codes() == [])
    #expect(try CompiledPair(source(4), source(5)).codes() == ["state-content"])
  }

  /// What the executable has copied is there for all versions.
  @Test func copiedConstants() throws {
    let source = { (order: String, number: Int, text: String) in
      """
      static int first(void) { return 1; }
      static int second(void) { return 2; }
      int (*const calls[2])(void) = { \(order) };
      const int numbers[2] = { 1, \(number) };
      const char *get(void) { return "\(text)"; }
      """
    }
    let base = source("first, second", 5, "one")
    let codes = { (new: String, copied: String) in
      let isCopied = { (name: Bytes, _: Bytes) in String(decoding: name.copy(), as: UTF8.self) == copied }
      let pair = try CompiledPair(base, new, options: Self.options)
      return try Bean.compare(old: pair.old, new: pair.new, isCopied: isCopied).codes
    }
    #expect(try codes("int more(void) { return 3; }\n" + source("first, second", 5, "two"), "calls") == [])
    #expect(try codes(source("second, first", 5, "two"), "calls") == ["state-content"])
    #expect(try codes(source("second, first", 5, "two"), "numbers") == [])
    #expect(try codes(source("first, second", 6, "two"), "numbers") == ["state-content"])
  }

  @Test func pointersBetweenVariables() throws {
    let source = { (target: String) in
      """
      static int one = 1, two = 2;
      static int *p = &\(target);
      int *get(void) { return p; }
      void set(int *q, int x) { p = q; one += x; two *= x; }
      """
    }
    #expect(try CompiledPair(source("one"), source("one")).codes() == [])
    #expect(try CompiledPair(source("one"), source("two")).codes() == ["state-content"])
  }

  @Test func pointersToImportedSymbols() throws {
    let source = { (name: String) in
      """
      int puts(const char *); int putchar(int);
      static void *p = \(name);
      void *get(void) { return p; }
      void set(void *q) { p = q; }
      """
    }
    #expect(try CompiledPair(source("puts"), source("puts")).codes() == [])
    #expect(try CompiledPair(source("puts"), source("putchar")).codes() == ["state-content"])
  }
}
