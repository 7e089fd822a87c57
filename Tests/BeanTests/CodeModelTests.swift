import Foundation
import Testing

@testable import Bean

/// What is taken over from another version's table is what decoding would have found.
@Suite struct CodeModelTests {
  static func expectSame(_ old: Bytes, _ new: Bytes) throws {
    let plain = try Binary(new).code
    let copied = try Binary(new, like: try Binary(old)).code
    try #require(plain.functions.count == copied.functions.count)
    #expect(plain.references.count == copied.references.count)
    #expect(plain.wideImmediates.count == copied.wideImmediates.count)
    for (a, b) in zip(plain.functions, copied.functions) {
      let isSame =
        a.range == b.range && a.hash == b.hash && a.isDecoded == b.isDecoded && a.source == b.source
        && a.mayReadRelativeTable == b.mayReadRelativeTable && a.hasWideImmediate == b.hasWideImmediate
        && a.end - a.first == b.end - b.first
      #expect(isSame, "\(a) \(b)")
      guard isSame else { return }
      for step in 0..<a.end - a.first {
        let (x, y) = (plain.references[a.first + step], copied.references[b.first + step])
        let isSame =
          x.field == y.field && x.target == y.target && x.kind == y.kind && x.size == y.size
          && x.trailing == y.trailing
        #expect(isSame, "\(x) \(y)")
        guard isSame else { return }
      }
    }
  }

  /// The same code with other things behind its displacements: slots of other symbols, functions that move away or
  /// change, branches that lead into the function itself.
  @Test(arguments: [
    ("", ""), ("int other(void);", "int another(void);"), ("int f0(int x) { return x; }", ""),
    ("", "int f9(int x) { return x * 3; }"), ("return a(x)", "return b(x)"), ("x * 7", "x * 9 + 100000"),
    ("long wide = 5;", "long wide = 0x12345;"),
  ])
  func mutations(_ part: String, _ change: String) throws {
    let source = """
      int other(void); int a(int); int b(int); int f0(int x) { return x; }
      int one(int x) { return a(x) * 7; } int two(int x) { while (b(x)) x += a(x * 7); return x; }
      long wide = 5; long *place(void) { return &wide; } long big(void) { return 0x12345678abcdefL + wide; }
      int three(int x) { switch (x) { case 0: return a(1); case 1: return b(2); case 2: return 5; case 3: return 9;
        case 4: return a(3); case 5: return b(9); } return two(x) + one(x); }
      """
    let changed = part.isEmpty ? change + source : source.replacingOccurrences(of: part, with: change)
    for options in [["-O2", "-s"], ["-O1", "-fno-plt"], ["-O2", "-mcmodel=large"], ["-O0"]] {
      let pair = try CompiledPair(source, changed, options: options)
      try Self.expectSame(pair.old, pair.new)
      try Self.expectSame(pair.new, pair.old)
    }
  }

  @Test(
    .enabled(
      if: ProcessInfo.processInfo.environment["LUCI_SUBJECTS"] != nil,
      "LUCI_SUBJECTS names no directory: tools/subjects"
    ),
    arguments: [
      ("libexpat1", "2.5.0-1+deb12u2", "2.5.0-1+deb12u5", "libexpat.so.1.8.10"),
      ("libudev1", "252.38-1~deb12u1", "252.39-1~deb12u2", "libudev.so.1.7.5"),
      ("libssl3", "3.0.20-1~deb12u2", "3.0.22-1~deb12u2", "libcrypto.so.3"),
    ])
  func realVersions(_ package: String, _ before: String, _ after: String, _ name: String) throws {
    let old = try SubjectTests.library(package, before, name)
    let new = try SubjectTests.library(package, after, name)
    try Self.expectSame(old, new)
    try Self.expectSame(new, old)
  }

  /// Hundreds of PLT entries in front of the code, more of them and in another order: the code is found nevertheless.
  @Test func codeBehindManyEntriesOfThePLT() throws {
    func source(_ imports: [String]) -> String {
      imports.map { "int \($0)(int);" }.joined()
        + (0..<200).map { "int f\($0)(int x) { return import\($0)(x) + \($0); }" }.joined(separator: "\n")
        + "int last(int x) { return " + imports.map { "\($0)(x)" }.joined(separator: "+") + "; }"
    }
    let imports = (0..<200).map { "import\($0)" }
    let pair = try CompiledPair(source(imports), source((0..<50).map { "added\($0)" } + imports.reversed()))
    let new = try Binary(pair.new, like: try Binary(pair.old))
    let functions = new.code.functions.filter { $0.source == .unwind }
    #expect(functions.count > 200)
    #expect(functions.count { $0.twin >= 0 } >= 200)
  }

  /// A model of quite another kind is of no use, and does no harm.
  @Test func otherLibraries() throws {
    let names = ["libz.so.1", "libm.so.6", "libstdc++.so.6"].compactMap { TestFile.library($0) }
    for old in names { for new in names { try Self.expectSame(old, new) } }
  }
}
