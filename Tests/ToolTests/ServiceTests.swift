import BeanTool
import Foundation
import Testing

/// The service behind LD_DEBUG_HASH.
@Suite(.timeLimit(.minutes(3)))
struct ServiceTests {
  let library = try! Library()

  @Test func answers() throws {
    let old = try library.build(
      "struct s { int a; } v; int f(void) { return v.a; }", ["-g", "-Wl,--build-id"], name: "1")
    let same = try library.build(
      "struct s { int a; } v; int f(void) { return 2; }", ["-g", "-Wl,--build-id"], name: "2")
    let other = try library.build(
      "struct s { long a; } v; int f(void) { return 2; }", ["-g", "-Wl,--build-id"], name: "3")
    let cache = library.file("cache")
    let service = try DebugHashService(root: nil, cache: cache, paths: [library.directory.path])
    let answers = try [old, same, other].map { service.answer(try DebugLinks(of: $0).buildIDText) }
    #expect(answers.allSatisfy { $0.hasPrefix("hash ") && $0.count == 69 })
    #expect(answers[0] == answers[1] && answers[0] != answers[2])
    #expect(answers[0] == "hash " + (try DebugHashTool.run(old, ToolOptions()).lines[0]))
    #expect(service.answer("0123456789abcdef") == "unknown")
    for request in ["", "xy", "../../etc/passwd", String(repeating: "a", count: 200), "abc"] {
      #expect(service.answer(request) == "error")
    }
    // A second service has the hash from the cache alone.
    let id = try DebugLinks(of: old).buildIDText
    #expect(try DebugHashService(root: "/nowhere", cache: cache, paths: []).answer(id) == answers[0])
    // What is in the cache and is no hash does not count.
    try "nonsense".write(toFile: "\(cache)/\(id)", atomically: true, encoding: .utf8)
    #expect(try DebugHashService(root: "/nowhere", cache: cache, paths: []).answer(id) == "unknown")
  }

  @Test(arguments: ["unix", "tcp:127.0.0.1", "udp:127.0.0.1", "tcp:[::1]"])
  func connections(_ kind: String) async throws {
    let service = try DebugHashService(root: "/nowhere", cache: nil, paths: [])
    let (address, server) = try makeServer(service, kind)
    let stop = Flag()
    // Only that thread uses the server from here on.
    let handed = Handed(value: server)
    let thread = Thread { handed.value.run { stop.isSet } }
    thread.start()
    defer { stop.set() }
    let text = try Client.ask(address, "0123456789abcdef\nnonsense\n", lines: 2)
    #expect(text == "unknown\nerror\n")
    // Too long a line ends the connection; the next one is served as before.
    if !kind.hasPrefix("udp") {
      #expect(try Client.ask(address, String(repeating: "a", count: 5000), lines: 1) == "")
      #expect(try Client.ask(address, "0123456789abcdef\n", lines: 1) == "unknown\n")
    }
  }

  /// Who says nothing, and a hash that takes long to find, keep nobody else waiting.
  @Test(arguments: ["unix", "tcp:127.0.0.1", "udp:127.0.0.1"])
  func nobodyWaitsForOthers(_ kind: String) async throws {
    // The debug file of one build-id is a FIFO: opening it takes until somebody writes.
    let slow = "00112233445566778899"
    let folder = library.file(".build-id/00")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let fifo = "\(folder)/\(slow.dropFirst(2)).debug"
    try #require(mkfifo(fifo, 0o600) == 0)
    let service = try DebugHashService(root: library.directory.path, cache: nil, paths: [])
    let (address, server) = try makeServer(service, kind)
    let stop = Flag()
    let handed = Handed(value: server)
    let thread = Thread { handed.value.run { stop.isSet } }
    thread.start()
    defer { stop.set() }
    let silent = try (0..<8).map { _ in try Client.connect(address) }
    defer { for socket in silent { close(socket) } }
    let waiting = try Client.connect(address)
    defer { close(waiting) }
    #expect(send(waiting, slow + "\n", slow.utf8.count + 1, Int32(MSG_NOSIGNAL)) == slow.utf8.count + 1)
    for id in ["0123456789abcdef", "fedcba9876543210"] {
      #expect(try Client.ask(address, id + "\n", lines: 1) == "unknown\n")
    }
    // Now the file can be opened, and turns out to be none.
    close(open(fifo, O_WRONLY))
    #expect(try Client.receive(waiting, lines: 1) == "unknown\n")
  }

  /// A free port, found by trying.
  private func makeServer(
    _ service: DebugHashService, _ kind: String
  ) throws -> (SocketAddress, DebugHashServer) {
    if kind == "unix" {
      let address = try #require(SocketAddress("unix:" + library.file("socket")))
      return (address, try DebugHashServer(service, [address]))
    }
    var last: Error = ToolError("no port")
    for _ in 0..<50 {
      let address = try #require(SocketAddress("\(kind):\(Int.random(in: 20000..<60000))"))
      do { return (address, try DebugHashServer(service, [address])) } catch { last = error }
    }
    throw last
  }

  @Test func addresses() {
    #expect(SocketAddress("unix:/run/x") == .unix("/run/x"))
    #expect(SocketAddress("tcp:[::1]:80") == .tcp(host: "::1", port: "80"))
    #expect(SocketAddress("udp:localhost:80")?.description == "udp:localhost:80")
    for wrong in ["", "unix:", "tcp:x", "tcp:x:", "tcp:x:99999", "tcp:::1:80", "http:x:80"] {
      #expect(SocketAddress(wrong) == nil, "\(wrong)")
    }
  }
}

/// What another thread takes over.
struct Handed<Value>: @unchecked Sendable { let value: Value }

final class Flag: @unchecked Sendable {
  private let lock = NSLock()
  private var value = false
  var isSet: Bool { lock.withLock { value } }
  func set() { lock.withLock { value = true } }
}

/// Asks over a socket and waits for the answer, or for the end of the connection.
enum Client {
  static func ask(_ address: SocketAddress, _ request: String, lines: Int) throws -> String {
    let socket = try connect(address)
    defer { close(socket) }
    let bytes = Array(request.utf8)
    guard send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { throw ToolError("send") }
    return try receive(socket, lines: lines)
  }

  static func receive(_ socket: Int32, lines: Int) throws -> String {
    var received: [UInt8] = []
    while received.filter({ $0 == 10 }).count < lines {
      var buffer = [UInt8](repeating: 0, count: 512)
      let count = recv(socket, &buffer, buffer.count, 0)
      if count <= 0 { break }
      received += buffer[0..<count]
    }
    return String(decoding: received, as: UTF8.self)
  }

  static func connect(_ address: SocketAddress) throws -> Int32 {
    var storage = sockaddr_storage()
    let size: Int
    var type = Int32(SOCK_STREAM.rawValue)
    switch address {
    case .unix(let path):
      var local = sockaddr_un()
      local.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &local.sun_path) { $0.copyBytes(from: path.utf8) }
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: local, as: sockaddr_un.self) }
      size = MemoryLayout<sockaddr_un>.size
    case .tcp(let host, let port) where host.contains(":"):
      var six = sockaddr_in6()
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = UInt16(port)!.bigEndian
      inet_pton(AF_INET6, host, &six.sin6_addr)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: six, as: sockaddr_in6.self) }
      size = MemoryLayout<sockaddr_in6>.size
    case .tcp(let host, let port), .udp(let host, let port):
      var four = sockaddr_in()
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = UInt16(port)!.bigEndian
      inet_pton(AF_INET, host, &four.sin_addr)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: four, as: sockaddr_in.self) }
      size = MemoryLayout<sockaddr_in>.size
      if case .udp = address { type = Int32(SOCK_DGRAM.rawValue) }
    }
    let socket = Foundation.socket(Int32(storage.ss_family), type, 0)
    let result = withUnsafePointer(to: storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Foundation.connect(socket, $0, socklen_t(size)) }
    }
    guard result == 0 else { throw ToolError("connect: \(String(cString: strerror(errno)))") }
    return socket
  }
}
