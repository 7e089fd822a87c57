import Bean
import Foundation
import Testing

/// The linker knows every reference: with --emit-relocs it tells.
@Suite struct GroundTruthTests {
  /// Functions that read, write, take addresses of, index and compare variables of many kinds.
  static var source: String {
    var text = "#include <stddef.h>\n"
    for n in 0..<60 {
      text += """
        static int plain\(n) = \(n); static char text\(n)[\(n * 3 + 5)]; static double real\(n);
        static struct { int a; long b; void *c; } record\(n)[\(n % 7 + 1)];
        int use\(n)(int x) {
          plain\(n) += x; if (plain\(n) == \(n * 1000)) text\(n)[x & 3] = 'a' + \(n % 26);
          real\(n) = real\(n) * 1.5 + x; record\(n)[x % \(n % 7 + 1)].b = 0x7fffffff; record\(n)[0].c = &plain\(n);
          for (size_t i = 0; i < sizeof text\(n); i++) text\(n)[i] ^= x;
          switch (x) { case 1: return plain\(n); case 2: return text\(n)[1]; case 3: plain\(n) = 12345678; break;
            case 4: *(short *)&record\(n)[0].a = 77; break; case 5: return real\(n) > x; }
          return x;
        }

        """
    }
    return text
  }

  /// Fields of relative relocations in executable sections whose target lies in state.
  static func fields(_ bytes: Bytes) throws -> Set<UInt64> {
    let file = try ObjectFile(bytes)
    let sections = try file.sections()
    let symbols = try #require(file.staticSymbols(sections))
    let state = try Binary(bytes).state
    var found: Set<UInt64> = []
    let wanted = Bytes(".rela.text")
    for section in sections.all where section.name == wanted {
      let table = try #require(bytes.slice(at: section.fileOffset, count: section.size))
      for index in 0..<table.count / 24 {
        let field = try #require(table.load(UInt64.self, at: index * 24))
        let info = try #require(table.load(UInt64.self, at: index * 24 + 8))
        let addend = try #require(table.load(Int64.self, at: index * 24 + 16))
        // R_X86_64_PC32.
        guard info & 0xffff_ffff == 2, let symbol = symbols[Int(info >> 32)] else { continue }
        let target = symbol.value &+ UInt64(bitPattern: addend) &+ 4
        // An immediate behind the field makes the addend smaller by its size.
        if target &- (state.span.start &- 4) < state.span.count &+ 4 { found.insert(field) }
      }
    }
    return found
  }

  @Test(arguments: ["-O0", "-O1", "-O2", "-O3", "-Os"])
  func everyReferenceIsFound(_ level: String) throws {
    let options = [level, "-Wl,--emit-relocs", "-nostartfiles"]
    let pair = try CompiledPair(Self.source, Self.source, options: options)
    let verdict = try pair.verdict()
    #expect(verdict.accepted, "\(verdict.text)")
    let truth = try Self.fields(pair.new)
    #expect(truth.count > 300)
    let found = Set(verdict.patches.map(\.fieldAddress))
    let (missed, invented) = (truth.subtracting(found), found.subtracting(truth))
    #expect(missed.isEmpty && invented.isEmpty, "\(Array(missed)) \(Array(invented))")
  }
}
