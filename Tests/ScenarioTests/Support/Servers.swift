import Foundation
import Testing

extension Luci {
  /// A directory of an unpacked package, or the same of the machine.
  fileprivate static func directory(_ name: String, ofPackage package: String, with file: String) -> String? {
    let fetched = subjects.flatMap { root in
      (try? FileManager.default.contentsOfDirectory(atPath: root))?.sorted().last { $0.hasPrefix(package + "_") }.map
      {
        "\(root)/\($0)/\(name)"
      }
    }
    return [fetched, "/" + name].compactMap { $0 }.first { exists($0 + "/" + file) }
  }
}

extension Workspace {
  func makeCertificate() async throws -> (key: String, certificate: String) {
    let (key, certificate) = (file("key.pem"), file("certificate.pem"))
    try await run(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
        + ["-keyout", key, "-out", certificate])
    return (key, certificate)
  }
}

/// nginx with one file, over HTTP/1.1 and HTTP/2.
struct WebServer {
  private static let directory = Luci.directory("usr/sbin", ofPackage: "nginx", with: "nginx")
  static let isThere = directory != nil

  private let program: RunningProgram
  private let ports: [Int]

  init(in workspace: Workspace) async throws {
    let directory = workspace.file("web")
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try Data(repeating: 0x78, count: 10_000).write(to: URL(fileURLWithPath: directory + "/file"))
    chmod(workspace.path, 0o755)
    ports = try [freePort(), freePort()]
    let (key, certificate) = try await workspace.makeCertificate()
    let configuration = """
      daemon off; pid \(directory)/pid; error_log \(directory)/error.log; worker_processes 1;
      \(geteuid() == 0 ? "user root;" : "")
      events { worker_connections 64; }
      http {
        access_log off; client_body_temp_path \(directory)/a; proxy_temp_path \(directory)/b;
        fastcgi_temp_path \(directory)/c; uwsgi_temp_path \(directory)/d; scgi_temp_path \(directory)/e;
        server { listen 127.0.0.1:\(ports[0]); root \(directory); }
        server {
          listen 127.0.0.1:\(ports[1]) ssl http2; root \(directory);
          ssl_certificate \(certificate); ssl_certificate_key \(key);
        }
      }
      """
    try Data(configuration.utf8).write(to: URL(fileURLWithPath: directory + "/nginx.conf"))
    program = try RunningProgram(
      in: workspace, [try #require(Self.directory) + "/nginx", "-p", directory, "-c", directory + "/nginx.conf"])
    let ports = ports
    try await program.wait(for: "the server") { _ in ports.allSatisfy { canConnect(to: $0) } ? true : nil }
  }

  func url(http2: Bool) -> String {
    http2 ? "https://127.0.0.1:\(ports[1])/file" : "http://127.0.0.1:\(ports[0])/file"
  }

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

  private static let programs = Luci.directory(
    "usr/lib/postgresql/15/bin", ofPackage: "postgresql-15", with: "postgres")
  static let isThere = programs != nil && (geteuid() != 0 || Luci.exists("/usr/bin/setpriv"))

  init(in workspace: Workspace) async throws {
    let programs = try #require(Self.programs)
    directory = workspace.file("database")
    user = "luci"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    chmod(workspace.path, 0o755)
    let prefix = geteuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
    if geteuid() == 0 { try await workspace.run("chown", ["65534:65534", directory]) }
    let make = try RunningProgram(
      in: workspace,
      prefix + [programs + "/initdb", "-D", directory + "/data", "-A", "trust", "-U", user, "--no-sync"])
    guard try await make.end() == .exit(0) else { throw Failure("initdb failed: \(make.seen)") }
    program = try RunningProgram(
      in: workspace, prefix + [programs + "/postgres", "-D", directory + "/data", "-k", directory, "-h", "", "-F"])
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
