import Foundation

/// `unix:/path`, `tcp:HOST:PORT` or `udp:HOST:PORT`, as LD_DEBUG_HASH has it. An IPv6 host stands in brackets.
public enum SocketAddress: Equatable, Sendable, CustomStringConvertible {
  case unix(String)
  case tcp(host: String, port: String)
  case udp(host: String, port: String)

  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      // Size of sun_path (unix(7)).
      guard !path.isEmpty, path.utf8.count < 108 else { return nil }
      self = .unix(path)
      return
    }
    guard text.hasPrefix("tcp:") || text.hasPrefix("udp:"), let colon = text.lastIndex(of: ":") else { return nil }
    let start = text.index(text.startIndex, offsetBy: 4)
    guard colon >= start else { return nil }
    var host = String(text[start..<colon])
    let port = String(text[text.index(after: colon)...])
    guard UInt16(port) != nil else { return nil }
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
    } else if host.contains(":") {
      return nil
    }
    self = text.hasPrefix("tcp:") ? .tcp(host: host, port: port) : .udp(host: host, port: port)
  }

  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .tcp(let host, let port): "tcp:\(host.contains(":") ? "[\(host)]" : host):\(port)"
    case .udp(let host, let port): "udp:\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
  }

  /// A socket that listens there, or, with UDP, is bound to it.
  func listen() throws -> Int32 {
    switch self {
    case .unix(let path): return try listenUnix(path)
    case .tcp(let host, let port): return try listenInternet(host, port, SOCK_STREAM)
    case .udp(let host, let port): return try listenInternet(host, port, SOCK_DGRAM)
    }
  }

  private func error() -> ToolError { ToolError("\(self): \(String(cString: strerror(errno)))") }

  private func listenUnix(_ path: String) throws -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let socket = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw error() }
    let bind = {
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          Foundation.bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
    }
    var result = bind()
    if result != 0, errno == EADDRINUSE, isAbandoned(address) {
      unlink(path)
      result = bind()
    }
    guard result == 0, Foundation.listen(socket, 64) == 0 else {
      let error = error()
      close(socket)
      throw error
    }
    return socket
  }

  /// A socket file that nobody listens at any more.
  private func isAbandoned(_ address: sockaddr_un) -> Bool {
    let socket = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return false }
    defer { close(socket) }
    return withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) != 0 && errno == ECONNREFUSED
      }
    }
  }

  private func listenInternet(_ host: String, _ port: String, _ type: __socket_type) throws -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(type.rawValue)
    hints.ai_flags = AI_PASSIVE
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host.isEmpty ? nil : host, port, &hints, &list)
    guard status == 0, let entry = list?.pointee else {
      throw ToolError("\(self): \(gai_strerror(status).map { String(cString: $0) } ?? "unknown host")")
    }
    defer { freeaddrinfo(list) }
    let socket = Foundation.socket(entry.ai_family, entry.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw error() }
    var one: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    guard bind(socket, entry.ai_addr, entry.ai_addrlen) == 0,
      type == SOCK_DGRAM || Foundation.listen(socket, 64) == 0
    else {
      let error = error()
      close(socket)
      throw error
    }
    return socket
  }
}
