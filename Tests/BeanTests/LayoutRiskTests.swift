import Bean
import Foundation
import Testing

/// Structures on the heap are in no file: functions show that their layout changed.
@Suite struct LayoutRiskTests {
  /// A library that makes and uses objects of one kind; `fields` stand in the middle, `last` at the end.
  static func source(fields: String = "", last: String = "", use: String = "") -> String {
    """
    #include <stdlib.h>
    struct session { long id; void *peer; char name[48]; \(fields) long sent, received; int state, error; \(last) };
    struct session *session_new(void) { return calloc(1, sizeof(struct session)); }
    struct session *session_make(long id) {
      struct session *s = malloc(sizeof *s);
      if (s) { s->id = id; s->sent = s->received = 0; s->state = 1; s->error = 0; }
      return s;
    }
    long session_total(struct session *s) { return s->sent * 3 + s->received; }
    int session_send(struct session *s, long n) {
      if (s->state != 1) { s->error = 7; return -1; }
      s->sent += n; \(use)
      return 0;
    }
    void session_stop(struct session *s) { s->state = 0; s->peer = 0; s->received = -1; }
    """
  }

  /// "kind function old new", as tests compare it.
  static func summary(_ verdict: Verdict) -> [String] {
    verdict.risks.map {
      let name = String(decoding: $0.function.name.copy(), as: UTF8.self)
      return "\($0.kind == .shiftedFields ? "shift" : "size") \(name) \($0.oldValue) \($0.newValue)"
    }
  }

  static func risks(_ old: String, _ new: String) throws -> [String] {
    let verdict = try CompiledPair(old, new).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    return summary(verdict)
  }

  static func line(_ verdict: Verdict) -> String {
    var text = Text()
    text.appendRisks(verdict)
    return String(decoding: text.bytes, as: UTF8.self)
  }

  /// id, peer and name take 64 bytes; sent, received, state and error 24.
  @Test func aFieldInTheMiddle() throws {
    let verdict = try CompiledPair(Self.source(), Self.source(fields: "void *added[2];")).verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    let found = Self.summary(verdict)
    #expect(found.first?.hasPrefix("shift session_") == true, "\(found)")
    #expect(verdict.risks.first?.oldValue == 64 && verdict.risks.first?.newValue == 80, "\(found)")
    #expect(verdict.shiftedFunctions == 4)
    #expect(found.contains("size session_make 88 104") && found.contains("size session_new 88 104"), "\(found)")
    let line = Self.line(verdict)
    #expect(line.contains("4 functions use fields at other offsets (session_"), "\(line)")
    #expect(line.contains(": +0x40 is now +0x50), 2 allocations have another size (session_"), "\(line)")
  }

  /// Whether objects of the old size live can be seen in malloc's chunks, not in what a pool is made of.
  @Test(arguments: ["xmalloc", "g_slice_alloc"])
  func allocatorsOfTheirOwn(name: String) throws {
    let source = { (fields: String) in
      "void *\(name)(unsigned long);\n"
        + Self.source(fields: fields).replacingOccurrences(of: "= malloc(", with: "= \(name)(")
        .replacingOccurrences(of: "return calloc(1, sizeof(struct session));", with: "return session_make(1);")
        .replacingOccurrences(
          of: "struct session *session_new(",
          with: "struct session *session_make(long);\nstruct session *session_new(")
    }
    let verdict = try CompiledPair(source(""), source("void *added[2];")).verdict()
    #expect(Self.summary(verdict).contains("size session_make 88 104"), "\(Self.summary(verdict))")
    #expect(verdict.isRiskOfSizes == (name == "xmalloc"))
  }

  /// Displacements pass from one byte to four.
  @Test func aLargeField() throws {
    let found = try Self.risks(Self.source(), Self.source(fields: "char added[400];"))
    #expect(found.contains { $0.hasPrefix("shift") && $0.hasSuffix(" 64 464") }, "\(found)")
  }

  @Test func aRemovedField() throws {
    let found = try Self.risks(Self.source(fields: "void *added[2];"), Self.source())
    #expect(found.contains { $0.hasPrefix("shift") && $0.hasSuffix(" 80 64") }, "\(found)")
  }

  @Test func aFieldAtTheEnd() throws {
    let found = try Self.risks(Self.source(), Self.source(last: "void *added;"))
    #expect(Set(found) == ["size session_make 88 96", "size session_new 88 96"], "\(found)")
  }

  @Test func theSameLayout() throws {
    let verdict = try CompiledPair(Self.source(), Self.source()).verdict()
    #expect(verdict.risks.isEmpty && verdict.riskCount == 0 && Self.line(verdict).isEmpty)
    #expect(try Self.risks(Self.source(), Self.source(use: "if (n > 100) s->error = 9;")) == [])
    #expect(try Self.risks(Self.source(), Self.source(use: "s->received -= n; s->error = 0;")) == [])
  }

  @Test(arguments: ["-O2", "-O0", "-fno-omit-frame-pointer"])
  func frames(option: String) throws {
    let source = { (size: Int) in
      """
      void fill(char *, int); int look(const int *, const char *);
      int one(int x) { int n[2] = { x, x + 1 }; char t[\(size)]; fill(t, x); n[1] += t[3]; return look(n, t); }
      int two(int x) { int n[3] = { x, x, 5 }; char t[\(size)]; fill(t, 2 * x); n[2] += t[5]; return look(n, t); }
      int three(int x) { int n[2] = { x, 9 }; char t[\(size)]; fill(t, x ^ 3); n[0] += t[7]; return look(n, t); }
      """
    }
    let verdict = try CompiledPair(source(40), source(200), options: [option, "-s"]).verdict()
    #expect(verdict.counters.changed >= 3)
    #expect(verdict.risks.isEmpty, "\(Self.summary(verdict))")
  }

  @Test func constantsIndicesAndOrder() throws {
    let functions = { (constant: Int, index: Int) in
      [
        "int scale(int *p, int i) { return p[i] * \(constant) + p[i + \(index)]; }",
        "int first(int *p, int i) { return p[i + \(index)] - p[2 * i + \(index)] + \(constant); }",
        "void store(long *p, long i) { p[i + \(index)] = \(constant); p[i + \(index) + 1] = i; }",
        "int other(const char *s) { int n = 0; while (*s) n = n * \(constant) + *s++; return n; }",
      ]
    }
    let old = functions(1000, 4)
    #expect(try Self.risks(old.joined(separator: "\n"), functions(2000, 4).joined(separator: "\n")) == [])
    #expect(try Self.risks(old.joined(separator: "\n"), functions(1000, 6).joined(separator: "\n")) == [])
    #expect(try Self.risks(old.joined(separator: "\n"), old.reversed().joined(separator: "\n")) == [])
  }

  /// A correction uses another field in one function.
  @Test func anotherField() throws {
    let source = { (field: String) in
      """
      struct s { long a, b, c, d; };
      long use(struct s *s) { return s->\(field) * 3 + s->a; }
      long sum(struct s *s) { return s->a + s->b + s->c + s->d; }
      """
    }
    #expect(try Self.risks(source("b"), source("c")) == [])
  }

  /// A buffer's size has no alignment; a structure's has.
  @Test func aBuffer() throws {
    let source = { (size: Int) in
      "#include <stdlib.h>\nchar *make(void) { char *p = malloc(\(size)); if (p) p[0] = 0; return p; }"
    }
    #expect(try Self.risks(source(519), source(520)) == [])
    #expect(try Self.risks(source(520), source(528)) == ["size make 520 528"])
  }

  /// Findings may be wrong then; nothing may trap.
  @Test func damagedFiles() throws {
    let pair = try CompiledPair(Self.source(), Self.source(fields: "void *added[2];"))
    var random = TestRandom(77)
    var found = 0
    for round in 0..<500 {
      let damaged = HostilePairTests.damage(round % 2 == 0 ? pair.new : pair.old, &random)
      damaged.withUnsafeBytes { (raw) in
        let files = round % 2 == 0 ? (pair.old, Bytes(raw)) : (Bytes(raw), pair.new)
        if let verdict = try? Bean.compare(old: files.0, new: files.1), !Self.line(verdict).isEmpty { found += 1 }
      }
    }
    #expect(found > 50)
  }

  /// What calls through a pointer get counts with other evidence alone.
  @Test func allocationThroughAPointer() throws {
    let source = { (size: Int) in
      "int run(int (**call)(int), int x) { return call[1](\(size)) + x; }"
    }
    #expect(try Self.risks(source(64), source(128)) == [])
    let library = { (fields: String) in
      Self.source(fields: fields)
        + "\nvoid *made(void *(**call)(unsigned long)) { return call[1](sizeof(struct session)); }"
    }
    let found = try Self.risks(library(""), library("void *added[2];"))
    #expect(found.contains("size made 88 104"), "\(found)")
  }
}
