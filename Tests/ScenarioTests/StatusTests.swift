import Foundation
import Testing

/// Where LD_STATUS_INFO leads, and that nobody who reads there can stop the program.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct StatusTests {
  let workspace = try! Workspace()

  private func start(_ status: String, _ environment: [String: String] = [:]) async throws -> (
    Counter, RunningProgram
  ) {
    let counter = try await Counter(in: workspace)
    let program = try await counter.start(
      .direct, environment: environment.merging(["LD_STATUS_INFO": status]) { $1 })
    return (counter, program)
  }

  @Test func namedPipe() async throws {
    let pipe = workspace.file("pipe")
    mkfifo(pipe, 0o600)
    let reader = try RunningProgram(in: workspace, ["/bin/sh", "-c", "exec cat <>\"$0\"", pipe])
    let (counter, program) = try await start(pipe)
    try workspace.replace(counter.library, with: try await counter.version("two"))
    try await reader.wait(for: "the update's line") { seen in
      seen.lines.contains { StatusLine($0).isUpdate } ? true : nil
    }
    // The reader goes, the program does not.
    reader.signal(SIGKILL)
    try await reader.end()
    try workspace.replace(counter.library, with: try await counter.version("three"))
    try await program.wait(for: "version three") { $0.has(version: "three") }
    try await counter.finish(program)
  }

  @Test func namedPipeThatNobodyReads() async throws {
    let pipe = workspace.file("pipe")
    mkfifo(pipe, 0o600)
    let (counter, program) = try await start(pipe)
    try workspace.replace(counter.library, with: try await counter.version("two"))
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
  }

  @Test(arguments: [SOCK_STREAM, SOCK_DGRAM].map(\.rawValue))
  func unixSocket(type: UInt32) async throws {
    let path = workspace.file("socket")
    let listener = socket(AF_UNIX, Int32(type | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    defer { close(listener) }
    try bind(listener, to: path)
    if type == SOCK_STREAM.rawValue { listen(listener, 4) }
    let (counter, program) = try await start(path)
    try workspace.replace(counter.library, with: try await counter.version("two"))
    // One connection for all lines or one for each, both will do.
    var peers = type == SOCK_STREAM.rawValue ? [] : [listener]
    defer { for peer in peers where peer != listener { close(peer) } }
    var text = ""
    try await program.wait(for: "the update's line on the socket") { _ in
      let peer = accept(listener, nil, nil)
      if peer >= 0 { peers.append(peer) }
      for peer in peers { text += received(peer) }
      return text.split(separator: "\n").contains { StatusLine($0).isUpdate } ? true : nil
    }
    try await counter.finish(program)
  }

  @Test func json() async throws {
    let (counter, program) = try await start(workspace.file("status.json"), ["LD_STATUS_FORMAT": "json"])
    try workspace.replace(counter.library, with: try await counter.version("two"))
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
    let text = String(decoding: try workspace.contents(workspace.file("status.json")), as: UTF8.self)
    let events = try text.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(events.count >= 2)
    #expect(events.contains { $0.values.contains { $0 as? String == "SUCCESS" } })
    #expect(events.allSatisfy { $0.values.contains { $0 as? Int == Int(program.pid) } })
  }

  @Test func unwritableStatusFile() async throws {
    let (counter, program) = try await start("/there/is/no/directory/status")
    try workspace.replace(counter.library, with: try await counter.version("two"))
    try await program.wait(for: "version two") { $0.has(version: "two") }
    try await counter.finish(program)
  }

  @Test func logFileAndLevel() async throws {
    let log = workspace.file("log")
    let (counter, program) = try await start("", ["LD_LOGLEVEL": "7", "LD_LOGFILE": log])
    try workspace.replace(counter.library, with: try await counter.version("two", flags: ["-DFIRST=1000"]))
    try await program.wait(for: "a line in the log") { _ in
      (try? workspace.contents(log)).flatMap {
        String(decoding: $0, as: UTF8.self).contains(Counter.name) ? true : nil
      }
    }
    try await counter.finish(program)
    #expect(program.seen.errors.isEmpty)
  }

  private func bind(_ descriptor: Int32, to path: String) throws {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else { throw Failure("bind \(path): \(String(cString: strerror(errno)))") }
  }

  private func received(_ descriptor: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) + (buffer[count - 1] == 10 ? "" : "\n") : ""
  }
}
