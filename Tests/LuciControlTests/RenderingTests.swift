import Foundation
import Testing

@testable import LuciControl

struct RenderingTests {
  private func status(_ stale: Staleness, refused: Refusal? = nil) -> ProcessStatus {
    let object = ObjectStatus(
      object: "libx.so", path: "/lib/libx.so", version: 2, versions: 2, since: "2026-11-21T00:00:00.000000Z",
      pending: false, refused: refused, stale: stale,
      outdated: [
        OutdatedStatus(version: 1, state: stale == .yes ? "in-use" : "quiet", uses: 3, lastFunction: "f+0x1")
      ])
    return ProcessStatus(
      pid: 7, program: "/bin/\u{1b}[31mx\"\\", time: "t", paused: false, detection: "userfaultfd", stale: stale,
      objects: [object])
  }

  @Test func attention() {
    #expect(status(.yes).needsAttention)
    #expect(status(.unknown).needsAttention, "not known is not fine")
    #expect(!status(.no).needsAttention)
    #expect(status(.no, refused: Refusal(reason: "r", code: "c", time: "t")).needsAttention)
  }

  @Test func tablesHaveNoControlCharacters() {
    for text in [Rendering.processes([status(.yes)], as: .table), Rendering.process(status(.yes), as: .table)] {
      #expect(!text.contains("\u{1b}"))
      #expect(text.contains("libx.so") || text.contains("/bin/?[31mx"))
    }
    #expect(Rendering.process(status(.yes), as: .table).contains("version 1 in-use (f+0x1)"))
  }

  @Test func listTellsWhatIsNotAsAtTheStart() {
    let refusal = Refusal(reason: "new version is incompatible", code: "c", detail: "other state", time: "t")
    let lines = Rendering.processes([status(.no), status(.no, refused: refusal)], as: .table).split(separator: "\n")
    #expect(lines.count == 5, "\(lines)")
    #expect(lines[2].hasPrefix("  libx.so version 2 of 2 since 2026-11-21T00:00:00.000000Z"))
    #expect(lines[4].contains("; refused: other state"))
    #expect(lines[1].hasPrefix("7    no     1        1"), "other lines do not widen the columns: \(lines[1])")
  }

  @Test func jsonGoesBothWays() throws {
    let text = Rendering.processes([status(.yes), status(.no)], as: .json)
    let back = try JSONDecoder().decode([ProcessStatus].self, from: Data(text.utf8))
    #expect(back == [status(.yes), status(.no)])
  }

  @Test func metrics() {
    let lines = Rendering.processes([status(.yes)], as: .openMetrics).split(separator: "\n")
    #expect(lines.last == "# EOF")
    let labels = "pid=\"7\",program=\"/bin/\u{1b}[31mx\\\"\\\\\""
    #expect(lines.contains { $0 == "luci_process_stale{\(labels),luci_process_stale=\"yes\"} 1" }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("luci_object_outdated_uses_total{") && $0.hasSuffix(" 3") })
    for line in lines where !line.hasPrefix("#") { #expect(line.contains("} ")) }
  }

  @Test func limitedToOneObject() {
    #expect(status(.no).limited(to: "libx.so").objects.count == 1)
    #expect(status(.no).limited(to: "/lib/libx.so").objects.count == 1)
    #expect(status(.no).limited(to: "liby.so").objects.isEmpty)
  }

  @Test func processesThatCannotBeAsked() {
    #expect(throws: AskError.noSuchProcess(1 << 30)) { try LuciProcess(pid: 1 << 30) }
    #expect(throws: AskError.notUnderLuci(Int(getpid()))) { try LuciProcess(pid: Int(getpid())) }
  }
}
