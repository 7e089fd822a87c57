import Bean
import Testing

/// Broken and hostile files lead to an error or a verdict, never to a trap.
@Suite struct HostilePairTests {
  /// Bytes are overwritten at random, headers, tables and relocations more often than code.
  static func damage(_ bytes: Bytes, _ random: inout TestRandom) -> [UInt8] {
    var copy = bytes.copy()
    for _ in 0...random.below(6) {
      let place: Int
      switch random.below(4) {
      case 0: place = random.below(1024)
      case 1: place = max(copy.count - 1 - random.below(2048), 0)
      default: place = random.below(copy.count)
      }
      switch random.below(4) {
      case 0: copy[place] = UInt8(truncatingIfNeeded: random.next())
      case 1: copy[place] ^= 1 << UInt8(random.below(8))
      case 2: copy[place] = 0xff
      default: for index in place..<min(place + 8, copy.count) { copy[index] = random.below(3) == 0 ? 0x7f : 0xff }
      }
    }
    return copy
  }

  @Test func damagedFiles() throws {
    let thread = """
      static __thread int initial = 5;
      static int first(int x) { return x * 7 - 1; }
      static int (*callback)(int) = first;
      static const char *const names[] = { "one", "two", "three" };
      static const char *const *current = names;
      __attribute__((constructor)) static void start(void) { initial = 1; }
      int call(int x) { initial += x; return callback(x) + current[x & 1][0]; }
      void set(int (*f)(int), const char *const *s) { callback = f; current = s; }

      """
    let pair = try CompiledPair(thread, "int extra(int x) { return x * 11; }" + thread, options: ["-O1"])
    #expect(try pair.verdict().accepted)
    var random = TestRandom(20)
    var (errors, verdicts) = (0, 0)
    for round in 0..<2000 {
      let damaged = Self.damage(round % 2 == 0 ? pair.new : pair.old, &random)
      damaged.withUnsafeBytes { (raw) in
        do throws(ELFError) {
          if round % 2 == 0 {
            _ = try Bean.compare(old: pair.old, new: Bytes(raw))
          } else {
            _ = try Bean.compare(old: Bytes(raw), new: pair.new)
          }
          verdicts += 1
        } catch {
          errors += 1
        }
      }
    }
    #expect(errors > 0)
    #expect(verdicts > 0)
  }

  /// Two exports of one name, as only a damaged file has them: it still is the same as itself.
  @Test func exportsOfOneName() throws {
    let source = """
      int twice_a(int x) { return x * 11 + 4; }
      int twice_b(int x) { return x / 7 - 5; }
      int twice_c(int x) { return x ^ 99; }
      """
    var bytes = try CompiledPair(source, source).new.copy()
    let name = Array("twice_".utf8)
    for place in 0..<(bytes.count - 7) where Array(bytes[place..<(place + 6)]) == name { bytes[place + 6] = 0x61 }
    try bytes.withUnsafeBytes { (raw) throws in
      let verdict = try Bean.compare(old: Bytes(raw), new: Bytes(raw))
      #expect(verdict.accepted, "\(verdict.text)")
      #expect(verdict.counters.removed == 0 && verdict.counters.added == 0)
    }
  }
}
