import Foundation
import Testing

/// nginx with one file, over HTTP/1.1 and HTTP/2.
struct WebServer {
  private let program: RunningProgram
  private let ports: [Int]

  init(in workspace: Workspace) async throws {
    let directory = workspace.file("web")
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try Data(repeating: 0x78, count: 10_000).write(to: URL(fileURLWithPath: directory + "/file"))
    chmod(workspace.path, 0o755)
    ports = try [freePort(), freePort()]
    let configuration = """
      daemon off; pid \(directory)/pid; error_log \(directory)/error.log; worker_processes 1;
      \(geteuid() == 0 ? "user root;" : "")
      events { worker_connections 64; }
      http {
        access_log off; client_body_temp_path \(directory)/a; proxy_temp_path \(directory)/b;
        fastcgi_temp_path \(directory)/c; uwsgi_temp_path \(directory)/d; scgi_temp_path \(directory)/e;
        server { listen 127.0.0.1:\(ports[0]); listen 127.0.0.1:\(ports[1]) http2; root \(directory); }
      }
      """
    try Data(configuration.utf8).write(to: URL(fileURLWithPath: directory + "/nginx.conf"))
    program = try RunningProgram(in: workspace, ["nginx", "-p", directory, "-c", directory + "/nginx.conf"])
    let ports = ports
    try await program.wait(for: "the server") { _ in ports.allSatisfy { canConnect(to: $0) } ? true : nil }
  }

  func url(http2: Bool) -> String { "http://127.0.0.1:\(ports[http2 ? 1 : 0])/file" }

  func end() async throws {
    program.signal(SIGTERM)
    try await program.end()
  }
}

/// A PostgreSQL server with a database of its own; it refuses to run as root.
struct DatabaseServer {
  private let program: RunningProgram
  let directory: String
  let user: String

  private static let programs: (initdb: String, postgres: String)? =
    ["/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin", "/usr/local/bin"]
    .filter { Luci.exists($0 + "/initdb") && Luci.exists($0 + "/postgres") }
    .map { ($0 + "/initdb", $0 + "/postgres") }.first
  static let isThere = programs != nil && (geteuid() != 0 || getpwnam("postgres") != nil)

  init(in workspace: Workspace) async throws {
    let programs = try #require(Self.programs)
    directory = workspace.file("database")
    user = geteuid() == 0 ? "postgres" : NSUserName()
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    chmod(workspace.path, 0o755)
    let prefix = geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
    if geteuid() == 0 { try await workspace.run("chown", ["postgres", directory]) }
    let make = try RunningProgram(
      in: workspace, prefix + [programs.initdb, "-D", directory + "/data", "-A", "trust", "-U", user, "--no-sync"])
    guard try await make.end() == .exit(0) else { throw Failure("initdb failed: \(make.seen)") }
    program = try RunningProgram(
      in: workspace, prefix + [programs.postgres, "-D", directory + "/data", "-k", directory, "-h", "", "-F"])
    try await program.wait(for: "the server") { $0.errors.contains("ready to accept connections") ? true : nil }
  }

  func end() async throws {
    program.signal(SIGINT)
    try await program.end()
  }
}

private func address(_ port: Int) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
  return address
}

private func canConnect(to port: Int) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  defer { close(descriptor) }
  var place = address(port)
  return withUnsafePointer(to: &place) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}

/// A port that nobody listens on at the moment.
private func freePort() throws -> Int {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  defer { close(descriptor) }
  var place = address(0)
  var size = socklen_t(MemoryLayout<sockaddr_in>.size)
  let result = withUnsafeMutablePointer(to: &place) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
    }
  }
  guard result == 0 else { throw Failure("no free port: \(String(cString: strerror(errno)))") }
  return Int(in_port_t(bigEndian: place.sin_port))
}
