import Foundation
import Testing

/// LD_DEBUG_HASH: a service that knows layouts from debug information decides whether an update may be made.
///
/// Here the service is a script's stand-in, a program of the test that answers every question in the same way.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct DebugHashTests {
  let workspace = try! Workspace()

  /// Answers the first connection with two lines.
  private func service(_ kind: String, _ answers: String) async throws -> (address: String, program: RunningProgram) {
    try await workspace.compile("service", "debug-hash-service.c", start: .system)
    let program = try RunningProgram(
      in: workspace, [workspace.file("service"), kind, workspace.file("socket"), answers])
    let address = try await program.wait(for: "the service's address") { $0.lines.first }
    return (String(address), program)
  }

  private func update(_ address: String) async throws -> (lines: String, errors: String) {
    let counter = try await Counter(in: workspace)
    let two = try await counter.version("two")
    let program = try await counter.start(
      .direct, environment: ["LD_STATUS_FORMAT": "json", "LD_DEBUG_HASH": address])
    try workspace.replace(counter.library, with: two)
    _ = try await program.wait(for: "the update's end") { seen in
      seen.statusText.contains("\"updated\"") || seen.statusText.contains("\"incompatible\"") ? true : nil
    }
    try await counter.finish(program)
    return (program.seen.statusText, program.seen.errors)
  }

  @Test(arguments: ["unix", "tcp", "udp", "tcp6"])
  func sameHash(_ kind: String) async throws {
    let (address, service) = try await service(kind, "hash 12\nhash 12\n")
    let (lines, errors) = try await update(address)
    #expect(lines.contains("\"updated\""))
    #expect(errors == "")
    _ = try await service.end()
    // Two build-ids, in hexadecimal.
    let asked = service.seen.lines.dropFirst()
    #expect(asked.count == 2 && asked.allSatisfy { $0.count == 40 && $0.allSatisfy(\.isHexDigit) })
  }

  @Test(arguments: ["unix", "udp"])
  func otherHash(_ kind: String) async throws {
    let (address, service) = try await service(kind, "hash 12\nhash 13\n")
    let (lines, _) = try await update(address)
    #expect(!lines.contains("\"updated\""))
    #expect(lines.contains("\"cause\":\"debug-hash\""))
    _ = try await service.end()
  }

  @Test func unknownHash() async throws {
    let (address, service) = try await service("tcp", "hash 12\nunknown\n")
    let (lines, errors) = try await update(address)
    #expect(lines.contains("\"updated\""))
    #expect(errors.contains("no layout hash is known for libcounter.so"))
    _ = try await service.end()
  }

  /// Nobody there, or somebody who says nothing: Bean's own verdict counts, after a bounded time.
  @Test(arguments: ["gone", "silent", "udp:127.0.0.1:9"])
  func noAnswer(_ kind: String) async throws {
    var address = kind
    var silent: RunningProgram?
    if kind == "gone" { address = "unix:" + workspace.file("nobody") }
    if kind == "silent" { (address, silent) = try await service("unix", "") }
    let (lines, errors) = try await update(address)
    #expect(lines.contains("\"updated\""))
    let reasons = ["gone": "No such file or directory", "silent": "Connection timed out"]
    let reason = reasons[kind] ?? "Connection refused"
    #expect(errors.contains("the service of LD_DEBUG_HASH does not answer (\(reason))"), "\(errors)")
    if let silent { _ = try await silent.end() }
  }
}
