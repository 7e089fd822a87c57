import Bean
import Foundation
import Testing

/// Over pairs of versions whose state sections are shared as a whole, matching variable by variable must find the same.
///
/// LUCI_PAIRS names a file with lines "OLD NEW" (tools/replay-archive --pairs writes it).
@Suite struct ArchiveMatchTests {
  static var pairs: [(String, String)] {
    guard let path = ProcessInfo.processInfo.environment["LUCI_PAIRS"],
      let text = try? String(contentsOfFile: path, encoding: .utf8)
    else { return [] }
    return text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      return words.count == 2 ? (String(words[0]), String(words[1])) : nil
    }
  }

  /// So many variables may be taken for others, of a hundred thousand. None was at the last count (18,000 in 326 pairs
  /// of Debian 12, docs/acceptance.md).
  private static var permitted: Int { 20 }

  @Test(.enabled(if: !pairs.isEmpty, "LUCI_PAIRS names no pairs: tools/replay-archive --pairs FILE writes them"))
  func variablesAreFoundWhereTheyAre() throws {
    var counts: [String: Int] = [:]
    var (all, wrong, pairs) = (0, 0, 0)
    for (before, after) in Self.pairs {
      let (left, right) = (
        try Binary(try #require(TestFile.read(before))), try Binary(try #require(TestFile.read(after)))
      )
      let verdict = Bean.compare(old: left, new: right)
      guard verdict.accepted, verdict.variables.isEmpty else { continue }
      pairs += 1
      for pair in VersionMatch(left, right).variables where pair.kind != .gone {
        counts["\(pair.evidence) \(pair.kind)", default: 0] += 1
        all += 1
        // Elsewhere, or said to be new: not the same as leaving it open.
        if pair.kind == .moved || pair.kind == .new {
          wrong += 1
          let places = [pair.old, pair.new].map { $0.map { String($0.start, radix: 16) } ?? "-" }
          print("\(after) \(pair.kind) \(pair.evidence) \(pair.support) \(places)")
        }
      }
    }
    print("\(pairs) pairs, \(all) variables, \(wrong) wrong")
    for (key, count) in counts.sorted(by: { $0.key < $1.key }) { print(key, count) }
    #expect(all > 100 && wrong * 100_000 <= all * Self.permitted)
    // Nor is a matcher of use that leaves things open.
    #expect(
      counts.filter { $0.key.hasSuffix("unplaced") || $0.key.hasSuffix("grown") }.values.reduce(0, +) * 100 <= all)
  }
}
