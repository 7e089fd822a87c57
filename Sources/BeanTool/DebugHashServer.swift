import Foundation

/// Answers questions of loaders: lines over connections, or datagrams with lines. One thread, which never waits for a
/// single client.
public final class DebugHashServer {
  private let service: DebugHashService
  private var listeners: [(socket: Int32, address: SocketAddress)] = []
  private var clients: [Int32: Client] = [:]

  private struct Client {
    var received: [UInt8] = []
    var pending: [UInt8] = []
    var lastUse = time(nil)
  }

  /// Loaders ask one or two questions and go.
  private static var maximumClients: Int { 256 }
  private static var maximumRequest: Int { 1024 }
  private static var idleSeconds: Int { 30 }

  public init(_ service: DebugHashService, _ addresses: [SocketAddress]) throws {
    self.service = service
    for address in addresses { listeners.append((try address.listen(), address)) }
  }

  deinit { close() }

  public func close() {
    for client in clients.keys { Foundation.close(client) }
    clients = [:]
    for listener in listeners {
      Foundation.close(listener.socket)
      if case .unix(let path) = listener.address { unlink(path) }
    }
    listeners = []
  }

  /// Serves until `shouldStop` says so, which is asked after each event and each second.
  public func run(_ shouldStop: () -> Bool) {
    signal(SIGPIPE, SIG_IGN)
    while !shouldStop() { step(milliseconds: 1000) }
  }

  func step(milliseconds: Int32) {
    var list = listeners.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
    for (socket, client) in clients {
      list.append(pollfd(fd: socket, events: Int16(client.pending.isEmpty ? POLLIN : POLLOUT), revents: 0))
    }
    guard poll(&list, nfds_t(list.count), milliseconds) > 0 else { return dropIdle() }
    for (index, entry) in list.enumerated() where entry.revents != 0 {
      if index < listeners.count { accept(listeners[index]) } else { serve(entry.fd) }
    }
    dropIdle()
  }

  private func accept(_ listener: (socket: Int32, address: SocketAddress)) {
    if case .udp = listener.address { return answerDatagram(listener.socket) }
    let socket = Foundation.accept(listener.socket, nil, nil)
    guard socket >= 0 else { return }
    _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    if clients.count >= DebugHashServer.maximumClients {
      Foundation.close(socket)
    } else {
      clients[socket] = Client()
    }
  }

  private func serve(_ socket: Int32) {
    guard var client = clients[socket] else { return }
    client.lastUse = time(nil)
    if client.pending.isEmpty {
      var buffer = [UInt8](repeating: 0, count: 512)
      let count = recv(socket, &buffer, buffer.count, 0)
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      guard count > 0 else { return drop(socket) }
      client.received += buffer[0..<count]
      client.pending = answers(&client.received)
      guard client.received.count <= DebugHashServer.maximumRequest else { return drop(socket) }
    }
    if !client.pending.isEmpty {
      let count = send(socket, client.pending, client.pending.count, Int32(MSG_NOSIGNAL))
      if count < 0, errno != EAGAIN, errno != EINTR { return drop(socket) }
      client.pending.removeFirst(max(count, 0))
    }
    clients[socket] = client
  }

  /// Takes all whole lines away.
  private func answers(_ received: inout [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    while let end = received.firstIndex(of: 10) {
      result += Array((service.answer(String(decoding: received[..<end], as: UTF8.self)) + "\n").utf8)
      received.removeFirst(end + 1)
    }
    return result
  }

  private func answerDatagram(_ socket: Int32) {
    var buffer = [UInt8](repeating: 0, count: DebugHashServer.maximumRequest)
    var address = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { (address) in
        let count = recvfrom(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT), address, &size)
        guard count > 0 else { return }
        var lines = Array(buffer[0..<count])
        if lines.last != 10 { lines.append(10) }
        let answer = answers(&lines)
        sendto(socket, answer, answer.count, Int32(MSG_DONTWAIT), address, size)
      }
    }
  }

  private func dropIdle() {
    let now = time(nil)
    for (socket, client) in clients where now - client.lastUse > DebugHashServer.idleSeconds { drop(socket) }
  }

  private func drop(_ socket: Int32) {
    clients[socket] = nil
    Foundation.close(socket)
  }
}
