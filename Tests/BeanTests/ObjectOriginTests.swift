import Bean
import Testing

/// Which objects a changed layout is about, found by following pointers from function to function.
@Suite struct ObjectOriginTests {
  /// A field at the end of 4 KiB moves by one byte; the size stays. `make` is where such an object comes from, and
  /// `open` is what the functions that use it are to others.
  private static func source(moved: Bool, make: String, isOpen: Bool = false) -> String {
    let visibility = isOpen ? "__attribute__((noinline))" : "static __attribute__((noinline))"
    return """
      #include <stdlib.h>
      struct call { long words[512]; char \(moved ? "added," : "") one, two, three; };
      extern int other(struct call *);
      \(visibility) int first(struct call *c, int n) {
        if (c->one > n) c->two = n; else c->three = n + 3;
        for (int i = 0; i < n; i++) c->one += i * c->two;
        return c->one * 3;
      }
      \(visibility) int second(struct call *c, int n) {
        while (n > c->two) { c->three ^= n; n -= c->one; }
        return c->two + n * 5;
      }
      \(visibility) int third(struct call *c, int n) {
        if (!c->three) return c->two - n;
        c->one = n; c->two = n + c->three; c->three = other(0) * n;
        return c->three ^ n;
      }
      static __attribute__((noinline)) int all(struct call *c, int n) {
        int sum = 0;
        for (int i = 0; i < n; i++) sum += first(c, n + i) * second(c, n - i) + third(c, sum);
        return sum;
      }
      \(make)
      """
  }

  private static let local = "int run(int n) { struct call c = { { n } }; return all(&c, n) + all(&c, 2 * n); }"

  private func verdict(
    make: String, isOpen: Bool = false, options: [String] = CompiledPair.defaultOptions
  ) throws -> Verdict {
    let pair = try CompiledPair(
      Self.source(moved: false, make: make, isOpen: isOpen), Self.source(moved: true, make: make, isOpen: isOpen),
      options: options)
    return try pair.verdict()
  }

  /// Nobody but their own functions sees them, and these belong to one version.
  @Test(arguments: [["-O2", "-s"], ["-O1", "-s"], ["-O0", "-s"], ["-O2", "-s", "-fno-ipa-ra"]])
  func localVariables(options: [String]) throws {
    let verdict = try verdict(make: Self.local, options: options)
    #expect(verdict.accepted && verdict.counters.equal < verdict.counters.functions - 2, "\(verdict.text)")
    #expect(verdict.risks.isEmpty && verdict.riskCount == 0, "\(LayoutRiskTests.summary(verdict))")
  }

  @Test func localVariablesThatOthersSee() throws {
    let exported = try verdict(make: Self.local, isOpen: true)
    #expect(!exported.risks.isEmpty && !exported.isRiskOfSizes, "others may call the functions with theirs")
    let table = try verdict(make: Self.local + "\nint (*table[])(struct call *, int) = { first, second, third };")
    #expect(!table.risks.isEmpty, "through a table as well")
    let handed = try verdict(
      make: Self.local + "\nvoid *hand_out(int n) { return n ? (void *)second : (void *)first; }")
    #expect(!handed.risks.isEmpty, "or by an address that was handed out")
    let heap = try verdict(
      make: Self.local + "\nint other_run(struct call **c, int n) { return all(*c, n) + all(c[1], n + 1); }")
    #expect(!heap.risks.isEmpty && !heap.isRiskOfSizes, "pointers from memory are not followed")
  }

  /// The allocation did not change, and is found by what gets its result.
  @Test(arguments: [
    "malloc(sizeof(struct call))", "calloc(1, sizeof(struct call))", "(*hook)(1, sizeof(struct call))",
  ])
  func unchangedSize(allocation: String) throws {
    let make = """
      void *(*hook)(size_t, size_t);
      void *make(int n) {
        struct call *c = \(allocation);
        if (c && all(c, n) > 0) { free(c); return 0; }
        return c;
      }
      int use(struct call *c, int n) { return all(c, n); }
      """
    let verdict = try verdict(make: make)
    #expect(!verdict.risks.isEmpty && verdict.isRiskOfSizes, "\(LayoutRiskTests.summary(verdict))")
    #expect(verdict.objectSizes == [4104])
  }

  /// Numbers that own functions get are sizes only if these hand them to an allocator.
  @Test func ownFunctions() throws {
    func make(_ inner: String) -> String {
      """
      static __attribute__((noinline)) void *get(long size, long n) { \(inner) }
      int use(int n) { struct call *c = get(4200, n); return c ? all(c, n) : 0; }
      """
    }
    let wrapper = try verdict(make: make("if (n > 5000) return 0; return calloc(1, size);"))
    #expect(wrapper.isRiskOfSizes && wrapper.objectSizes == [4200], "\(wrapper.objectSizes)")
    let depth = try verdict(make: make("return size > n ? (void *)(long)other(0) : malloc(5000);"))
    #expect(depth.objectSizes == [5000], "\(depth.objectSizes)")
  }

  /// Who makes the objects is not seen, or how large they are.
  @Test(arguments: [
    "int use(struct call *c, int n) { return all(c, n); }",
    "int use(int n) { struct call *c = malloc(n * 8 + 99); return c ? all(c, n) : 0; }",
    "int use(int n) { struct call *c = malloc(4000); return c ? all(c, n) : 0; }",
  ])
  func unknownSize(make: String) throws {
    let verdict = try verdict(make: make)
    #expect(!verdict.risks.isEmpty && !verdict.isRiskOfSizes && verdict.objectSizes.isEmpty)
  }

  /// What a function of another name hands out may be a part of something larger.
  @Test func pools() throws {
    func library(_ allocator: String) -> (Int) -> String {
      { "extern void *\(allocator)(long); void *make(void) { long *p = \(allocator)(\($0)); *p = 3; return p; }" }
    }
    for (allocator, isKnown) in [("CRYPTO_malloc", true), ("g_slice_alloc", false), ("apr_palloc", false)] {
      let source = library(allocator)
      let verdict = try CompiledPair(source(520), source(528)).verdict()
      #expect(LayoutRiskTests.summary(verdict) == ["size make 520 528"], "\(allocator)")
      #expect(verdict.isRiskOfSizes == isKnown, "\(allocator)")
    }
  }

  // MARK: Who makes them

  private static func makers(_ last: String, extra: String = "") -> String {
    """
    #include <stdlib.h>
    struct session { long id, more[9]; \(last) };
    static __attribute__((noinline)) struct session *made(long id) {
      struct session *s = malloc(sizeof *s);
      if (s) { s->id = id; s->more[3] = -id; }
      return s;
    }
    struct session *session_new(long id) { return id > 0 ? made(id) : made(7); }
    struct session *session_copy(struct session *s) { return made(s->id * 2); }
    long version_number(long n) { return n * 3 + 7; }
    \(extra)
    """
  }

  private static func names(_ verdict: Verdict) -> [String]? {
    verdict.makers.map { $0.map { String(decoding: $0.name.copy(), as: UTF8.self) }.sorted() }
  }

  private func makers(_ extra: String = "", _ newExtra: String? = nil) throws -> [String]? {
    let pair = try CompiledPair(
      Self.makers("", extra: extra), Self.makers("void *added;", extra: newExtra ?? extra))
    let verdict = try pair.verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.objectSizes == [80] && verdict.isRiskOfSizes, "\(LayoutRiskTests.summary(verdict))")
    return Self.names(verdict)
  }

  @Test func makersOfChangedAllocations() throws {
    #expect(try makers() == ["session_copy", "session_new"])
    // Another object of the same size is none of these, where its functions are equal.
    let other = "void *other_new(void) { long *p = malloc(80); if (p) p[7] = 1; return p; }"
    #expect(try makers(other) == ["session_copy", "session_new"])
    // What became of it where the function is another one can't be told.
    let changed = "void *other_new(int n) { long *p = n > 5 ? calloc(n, n) : malloc(99); if (p) p[7] = n; return p; }"
    #expect(try makers(other, changed) == ["other_new", "session_copy", "session_new"])
    // A name that leads to the same function.
    let alias = "struct session *session_again(long) __attribute__((alias(\"session_new\")));"
    #expect(try makers(alias) == ["session_again", "session_copy", "session_new"])
  }

  /// The fewest calls away: who calls these most likely gets a new object, whatever else leads to them.
  @Test func nearestMakers() throws {
    let further = "long session_use(long n) { struct session *s = session_new(n); return s ? s->more[3] : 0; }"
    let extra = further + "\nvoid *session_table[] = { (void *)made };"
    let pair = try CompiledPair(Self.makers("", extra: extra), Self.makers("void *added;", extra: extra))
    let verdict = try pair.verdict()
    let old = try Binary(pair.old)
    let names = verdict.nearestMakers.compactMap { address in
      old.symbols.entries.first { $0.isExport && $0.symbol.value == address }?.name
    }
    #expect(names.map { String(decoding: $0.copy(), as: UTF8.self) }.sorted() == ["session_copy", "session_new"])
    #expect(verdict.makers == nil)
  }

  /// Whoever has the address of a function may call it.
  @Test func makersThatDataLeadsTo() throws {
    #expect(try makers("void *session_table[] = { (void *)made };") == nil)
    #expect(try makers("__attribute__((constructor)) void start(void) { session_new(5); }") == nil)
    let handed = "void *session_maker(void) { return (void *)made; }"
    #expect(try makers(handed) == ["session_copy", "session_maker", "session_new"])
  }

  /// Sizes that are the same in both versions: whoever asks for them counts.
  @Test func makersOfUnchangedSizes() throws {
    let make = """
      void *make(int n) {
        struct call *c = malloc(sizeof(struct call));
        if (c && all(c, n) > 0) { free(c); return 0; }
        return c;
      }
      void *make_more(void) { return calloc(1, sizeof(struct call)); }
      int use(struct call *c, int n) { return all(c, n); }
      void *other_make(void) { return malloc(4000); }
      """
    let verdict = try verdict(make: make)
    #expect(verdict.objectSizes == [4104] && Self.names(verdict) == ["make", "make_more"])
  }

  /// Findings may be wrong; nothing may trap, or take for ever.
  @Test func damagedFiles() throws {
    let make = Self.local + "\nvoid *make(int n) { struct call *c = malloc(sizeof *c); return all(c, n) ? c : 0; }"
    let pair = try CompiledPair(Self.source(moved: false, make: make), Self.source(moved: true, make: make))
    var random = TestRandom(91)
    var found = 0
    for _ in 0..<500 {
      let damaged = HostilePairTests.damage(pair.old, &random)
      damaged.withUnsafeBytes { (raw) in
        if let verdict = try? Bean.compare(old: Bytes(raw), new: pair.new), !verdict.risks.isEmpty { found += 1 }
      }
    }
    #expect(found > 50)
  }
}
