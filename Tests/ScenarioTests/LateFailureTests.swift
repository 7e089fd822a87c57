import Foundation
import Testing

/// What Luci can't do is found out when the C library is up already: the program runs as if Luci were not there, with
/// one line that says so, or fails as it would without Luci.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct LateFailureTests {
  let workspace = try! Workspace()

  /// A library whose reference to malloc has another relocation type than the linker gave it.
  private func library(type: UInt64) async throws {
    let path = try await workspace.library("liblate.so", "late-lib.c")
    var content = [UInt8](try workspace.contents(path))
    func word(_ offset: Int) -> UInt64 {
      content[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    // R_X86_64_64 with a symbol, no addend and a place in the data segment: those of `pointer` and `other`. Undefined
    // symbols, like malloc, come first in the table.
    let found = stride(from: 64, to: content.count - 24, by: 8).filter { offset in
      let info = word(offset + 8)
      return info & 0xffff_ffff == 1 && info >> 32 > 0 && info >> 32 < 64 && word(offset + 16) == 0
        && word(offset) > 0x1000 && word(offset) < 0x10000
    }
    guard let place = found.min(by: { word($0 + 8) < word($1 + 8) }) else { throw Failure("no such relocation") }
    content[place + 8] = UInt8(type)
    try workspace.replace(path, content: Data(content))
  }

  private func subject(_ flags: [String]) -> Subject {
    Subject(workspace: workspace, path: workspace.file("program")) { [workspace] start in
      try await workspace.library("liblate.so", "late-lib.c")
      try await workspace.compile("program", "late.c", flags: flags + ["-llate", "-pthread"], start: start)
    }
  }

  /// The first line is the warning; all else is what the program shows without Luci.
  private func compare(_ type: UInt64, _ flags: [String], _ expected: Ending) async throws {
    var reference: Outcome?
    for start in [Start.system] + Start.luci {
      let compiled = subject(flags)
      try await compiled.prepare(start)
      try await library(type: type)
      let again = Subject(workspace: workspace, path: compiled.path) { _ in }
      var outcome = try await again.outcome(start, ["last"])
      #expect(outcome.ending == expected, "\(start): \(outcome)")
      guard let reference else {
        reference = outcome
        continue
      }
      let lines = outcome.errors.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.first?.hasPrefix("ld-luci.so: warning: \(workspace.file("liblate.so")): ") ?? false, "\(outcome)")
      #expect(lines.first?.contains("; the program runs ") ?? false, "\(outcome)")
      outcome.errors = lines.dropFirst().joined(separator: "\n")
      #expect(outcome == reference, "\(start): \(outcome.difference(to: reference))")
    }
  }

  /// R_X86_64_32 to an address that does not fit: the system's loader says so and goes on.
  @Test(arguments: [[], ["-no-pie"], ["-Wl,-z,pack-relative-relocs"], ["-Wl,-z,relro,-z,now"]])
  func theProgramRuns(flags: [String]) async throws { try await compare(10, flags, .exit(9)) }

  /// A type that does not exist.
  @Test func theProgramFails() async throws { try await compare(99, [], .exit(127)) }
}
