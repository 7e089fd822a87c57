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

  @Test(.enabled(if: !pairs.isEmpty, "LUCI_PAIRS names no pairs: tools/replay-archive --pairs FILE writes them"))
  func variablesAreFoundWhereTheyAre() throws {
    var counts: [String: Int] = [:]
    for (before, after) in Self.pairs {
      let old = try #require(TestFile.read(before))
      let new = try #require(TestFile.read(after))
      let (left, right) = (try Binary(old), try Binary(new))
      let verdict = Bean.compare(old: left, new: right)
      guard verdict.accepted, verdict.variables.isEmpty else { continue }
      for pair in VersionMatch(left, right).variables {
        let isRight = pair.kind == .kept || pair.kind == .gone
        counts["\(pair.evidence) \(pair.kind)", default: 0] += 1
        if !isRight, pair.kind == .moved || pair.kind == .new {
          print(
            "\(after) \(pair.kind) \(pair.evidence) \(pair.support)",
            pair.old.map { String($0.start, radix: 16) } ?? "-",
            pair.new.map { String($0.start, radix: 16) } ?? "-")
        }
      }
    }
    for (key, count) in counts.sorted(by: { $0.key < $1.key }) { print(key, count) }
  }
}
