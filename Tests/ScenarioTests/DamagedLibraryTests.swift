import Foundation
import Testing

/// A library whose tables are damaged, at start and in dlopen: an error in one line, or a program that runs. Where the
/// damage breaks the program itself, it does so under the system's loader too, or after the loader's work.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct DamagedLibraryTests {
  let workspace = try! Workspace()

  struct Kind: CustomTestStringConvertible {
    let testDescription: String
    let library: [String]
    let program: [String]
  }

  static let kinds = [
    Kind(
      testDescription: "both hashes, lazy", library: ["-Wl,--hash-style=both", "-Wl,-z,lazy"],
      program: ["-no-pie", "-fno-pie"]),
    Kind(
      testDescription: "GNU hash, DT_RELR, TLSDESC",
      library: ["-Wl,--hash-style=gnu", "-Wl,-z,pack-relative-relocs", "-mtls-dialect=gnu2"], program: []),
    Kind(testDescription: "SysV hash, now", library: ["-Wl,--hash-style=sysv", "-Wl,-z,now"], program: []),
  ]

  @Test(arguments: kinds)
  func endsInOrder(kind: Kind) async throws {
    let script = workspace.file("versions.map")
    try workspace.replace(script, content: Data("V1 { global: hostile_*; local: *; };\n".utf8))
    let library = try await workspace.library(
      "libhostile.so", "hostile-lib.c",
      flags: ["-nostartfiles", "-g0", "-Wl,--version-script=" + script] + kind.library)
    try await workspace.compile("linked", "hostile.c", flags: ["-DLINKED", "-lhostile"] + kind.program)
    try await workspace.compile("opens", "hostile.c")
    let damage = Damage(try workspace.contents(library))
    var numbers = RepeatableNumbers(seed: 7)
    for index in 0..<150 {
      try workspace.replace(library, content: damage.file(&numbers))
      try await check(index, [workspace.file("linked")])
      try await check(index, [workspace.file("opens"), library])
    }
  }

  private func check(_ index: Int, _ command: [String]) async throws {
    let loader = try #require(Luci.loader)
    let (seen, ending) = try await run([loader] + command)
    if case .exit(let code) = ending {
      if code == 127 {
        // What Luci finds when the C library is up already is left to the system's loader, after a warning.
        let lines = seen.errors.split(separator: "\n")
        let isHandedOver = lines.first?.hasSuffix("; the program runs without Luci") == true
        #expect(lines.count == (isHandedOver ? 2 : 1), "damage \(index): \(seen)")
        #expect(seen.errors.contains(isHandedOver ? "libhostile.so" : command[0]), "damage \(index): \(seen)")
      }
      return
    }
    if seen.output.contains("started\n") { return }
    if case .signal? = try await run(command).1 { return }
    Issue.record("damage \(index) of \(command[0]): \(seen)")
  }

  /// The ending is nil for a program that does not end.
  private func run(_ command: [String]) async throws -> (Seen, Ending?) {
    let program = try RunningProgram(in: workspace, command)
    program.closeInput()
    let ending = try? await program.wait(for: "its end", atMost: .seconds(20)) { $0.ending }
    return (program.seen, ending)
  }
}
