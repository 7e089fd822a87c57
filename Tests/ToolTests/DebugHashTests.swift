import BeanTool
import Foundation
import Testing

@testable import DebugLayout

@Suite(.timeLimit(.minutes(3)))
struct DebugHashTests {
  let library = try! Library()

  private let source = """
    struct inner { char a; long b; unsigned f : 3, g : 7; };
    struct node;
    struct list { struct node *head; int n; };
    struct node { struct node *next; struct inner in; union { int i; float f; } u; void (*call)(struct list *); };
    enum e { A, B };
    struct list all;
    __thread enum e state;
    struct unused { int x; };
    struct argument { short s; };
    int api(struct argument *a) {
      static struct inner keep;
      struct unused un = {3};
      keep.a++;
      return a->s + un.x + all.n + state;
    }
    static __attribute__((noinline)) int hidden(struct unused *u) { return u->x; }
    int call(int x) { struct unused un = {x}; return hidden(&un); }
    """

  private func hash(_ source: String, _ options: [String]) throws -> String {
    try DebugHashTool.run(try library.build(source, ["-g"] + options), ToolOptions()).string
  }

  /// The layout counts, not how it is written down: versions of DWARF, type units, compressed sections.
  @Test(arguments: [
    ["-gdwarf-4"], ["-gdwarf-3"], ["-gdwarf-2", "-gno-strict-dwarf"], ["-gdwarf-5", "-fdebug-types-section"],
    ["-gdwarf-4", "-fdebug-types-section"], ["-gz=zlib"], ["-gz=zlib-gnu", "-gdwarf-4"],
    ["-gz=zlib", "-fdebug-types-section"], ["-gsplit-dwarf"], ["-O2"], ["-O0"],
  ])
  func sameWhateverTheForm(_ options: [String]) throws {
    #expect(try hash(source, ["-O1"] + options) == hash(source, ["-O1", "-gdwarf-5"]))
  }

  /// dwz moves what occurs more than once to partial units; with several files in common, to a file of its own.
  @Test(
    .enabled(if: access("/usr/bin/dwz", X_OK) == 0, "no dwz: package dwz"),
    arguments: [["-gdwarf-4"], ["-gdwarf-5"], ["-gdwarf-4", "-fdebug-types-section"]])
  func partialUnits(_ options: [String]) throws {
    // Two units that have types in common.
    let second = library.file("second.c")
    try source.replacingOccurrences(of: "api(", with: "api2(").replacingOccurrences(of: "call(int", with: "call2(int")
      .replacingOccurrences(of: "struct list all", with: "extern struct list all")
      .replacingOccurrences(of: "__thread", with: "extern __thread")
      .write(toFile: second, atomically: true, encoding: .utf8)
    let file = try library.build(source, ["-g", "-O1"] + options + [second])
    let reference = try DebugHashTool.run(file, ToolOptions()).string
    try library.run("/usr/bin/dwz", [file])
    let units = try library.run("/usr/bin/readelf", ["--debug-dump=info", file])
    #expect(units.contains("DW_TAG_partial_unit") || options.count > 1)
    #expect(try DebugHashTool.run(file, ToolOptions()).string == reference)
  }

  @Test func sameWithOtherNames() throws {
    let reference = try hash(source, ["-O1", "-gdwarf-5"])
    // Renamed by a typedef, with a new constant, other code.
    let other = source.replacingOccurrences(of: "enum e { A, B }", with: "enum e { A, B, C }")
      .replacingOccurrences(of: "int n; };", with: "number n; };")
      .replacingOccurrences(of: "un = {3}", with: "un = {4}")
    #expect(try hash("typedef int number;\n" + other, ["-O1"]) == reference)
  }

  @Test(arguments: [
    ("int n;", "long n;"), ("long b;", "int b; int b2;"), ("f : 3", "f : 4"), ("float f;", "double f;"),
    ("short s;", "short t;"), ("struct list *)", "struct list *, int)"),
    ("enum e { A, B }", "enum e { A, B = 1LL << 40 }"),
    ("struct node *next;", "long more; struct node *next;"),
  ])
  func otherLayout(_ part: String, _ other: String) throws {
    try #require(source.contains(part))
    let changed = source.replacingOccurrences(of: part, with: other)
      .replacingOccurrences(of: "a->s", with: other == "short t;" ? "a->t" : "a->s")
    #expect(try hash(source, ["-O1"]) != hash(changed, ["-O1"]))
  }

  /// Types that only live on the stack, or that only hidden functions get.
  @Test func unreachableTypesDoNotCount() throws {
    let changed = source.replacingOccurrences(of: "struct unused { int x; }", with: "struct unused { int y, x; }")
    #expect(try hash(source, ["-O1"]) == hash(changed, ["-O1"]))
  }

  @Test func classes() throws {
    let source = """
      struct base { virtual int first(); virtual int second(); int a; };
      struct derived : base { int second() override; long b; static int shared; };
      int base::first() { return a; } int base::second() { return 1; }
      int derived::second() { return 2; } int derived::shared;
      namespace space { struct inner { struct deep { char c; } d; }; inner variable; }
      derived *make() { return new derived; }
      """
    let options = ["-O1", "-x", "c++"]
    let reference = try hash(source, options)
    #expect(try hash(source.replacingOccurrences(of: "shared", with: "common"), options) == reference)
    for (part, other) in [
      ("virtual int first(); virtual int second();", "virtual int second(); virtual int first();"),
      ("long b;", "int b;"), ("int a;", "int a, a2;"), ("char c;", "short c;"),
    ] {
      #expect(try hash(source.replacingOccurrences(of: part, with: other), options) != reference, "\(other)")
    }
  }

  /// What dwz moves to a file in common, and separate debug files found by build-id and by link.
  @Test func separateFiles() throws {
    let one = try library.build(source, ["-g", "-O1"], name: "one")
    let two = try library.build(source + "int more;", ["-g", "-O1"], name: "two")
    let reference = try DebugHashTool.run(one, ToolOptions()).string
    let common = library.file("common.debug")
    if FileManager.default.isExecutableFile(atPath: "/usr/bin/dwz") {
      try library.run("/usr/bin/dwz", ["-m", common, one, two])
      #expect(FileManager.default.fileExists(atPath: common))
      #expect(try DebugHashTool.run(one, ToolOptions()).string == reference)
    }
    let debug = library.file("one/library.so.debug")
    try library.run("/usr/bin/objcopy", ["--only-keep-debug", one, debug])
    try library.run("/usr/bin/objcopy", ["--strip-all", "--add-gnu-debuglink=" + debug, one])
    #expect(try DebugHashTool.run(one, ToolOptions()).string == reference)
    #expect(try FindDebugTool.run(one, ToolOptions()).lines == [debug])
    var options = ToolOptions()
    options.root = library.file("root")
    let id = try DebugLinks(of: one).buildIDText
    let folder = library.file("root/usr/lib/debug/.build-id/\(id.prefix(2))")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try FileManager.default.moveItem(atPath: debug, toPath: "\(folder)/\(id.dropFirst(2)).debug")
    #expect(try FindDebugTool.run(one, ToolOptions()).code == 1)
    #expect(try FindDebugTool.run(one, options).code == 0)
    // Names of static functions come back with -s -b.
    options.usesDebugSymbols = true
    #expect(try HashTool.run(one, options).string.contains(" hidden\n"))
    #expect(try !HashTool.run(one, ToolOptions()).string.contains(" hidden\n"))
  }

  @Test func checksum() {
    var hash = SHA256()
    hash.update(Array("abc".utf8))
    let digits = hash.finish().prefix(4).map { String($0, radix: 16) }.joined()
    #expect(digits == "ba7816bf")
  }

  @Test func errors() throws {
    let plain = try library.build(source)
    #expect(throws: ToolError.self) { try DebugHashTool.run(plain, ToolOptions()) }
    #expect(throws: ToolError.self) { try DebugHashTool.run("/missing", ToolOptions()) }
  }
}
