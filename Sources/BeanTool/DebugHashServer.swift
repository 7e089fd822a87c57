import Foundation

/// Answers questions of loaders: lines over connections, or datagrams with lines.
///
/// One thread looks after all sockets and never waits for a single client; hashes that are not known yet are found by
/// others (`DebugHashWorkers`), since reading debug information can take many seconds.
public final class DebugHashServer {
  private let workers: DebugHashWorkers
  private var listeners: [(socket: Int32, address: SocketAddress)] = []
  private var clients: [Int32: Client] = [:]
  private var lastNumber = 0

  private struct Client {
    /// Descriptors are used again, numbers are not.
    let number: Int
    var received: [UInt8] = []
    var pending: [UInt8] = []
    /// Questions are being answered: nothing more is read until then.
    var isWaiting = false
    var lastUse = time(nil)
  }

  /// Loaders ask one or two questions and go.
  private static var maximumClients: Int { 256 }
  private static var maximumRequest: Int { 1024 }
  private static var idleSeconds: Int { 30 }

  public init(_ service: DebugHashService, _ addresses: [SocketAddress]) throws {
    workers = try DebugHashWorkers(service)
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
    var list = [pollfd(fd: workers.signal, events: Int16(POLLIN), revents: 0)]
    list += listeners.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
    for (socket, client) in clients {
      let events = client.isWaiting ? 0 : client.pending.isEmpty ? POLLIN : POLLOUT
      list.append(pollfd(fd: socket, events: Int16(events), revents: 0))
    }
    guard poll(&list, nfds_t(list.count), milliseconds) > 0 else { return dropIdle() }
    if list[0].revents != 0 { takeAnswers() }
    for (index, entry) in list.enumerated().dropFirst() where entry.revents != 0 {
      if index <= listeners.count { accept(listeners[index - 1]) } else { serve(entry.fd) }
    }
    dropIdle()
  }

  private func accept(_ listener: (socket: Int32, address: SocketAddress)) {
    if case .udp = listener.address { return takeDatagram(listener.socket) }
    let socket = Foundation.accept(listener.socket, nil, nil)
    guard socket >= 0 else { return }
    _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    if clients.count >= DebugHashServer.maximumClients {
      Foundation.close(socket)
    } else {
      lastNumber += 1
      clients[socket] = Client(number: lastNumber)
    }
  }

  private func serve(_ socket: Int32) {
    guard var client = clients[socket] else { return }
    // It went away while it waited.
    if client.isWaiting { return drop(socket) }
    client.lastUse = time(nil)
    if client.pending.isEmpty {
      var buffer = [UInt8](repeating: 0, count: 512)
      let count = recv(socket, &buffer, buffer.count, 0)
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      guard count > 0 else { return drop(socket) }
      client.received += buffer[0..<count]
      let questions = DebugHashServer.lines(&client.received)
      guard client.received.count <= DebugHashServer.maximumRequest else { return drop(socket) }
      if !questions.isEmpty {
        client.isWaiting = true
        guard workers.ask(questions, for: .client(socket, number: client.number)) else { return drop(socket) }
      }
    } else {
      let count = send(socket, client.pending, client.pending.count, Int32(MSG_NOSIGNAL))
      if count < 0, errno != EAGAIN, errno != EINTR { return drop(socket) }
      client.pending.removeFirst(max(count, 0))
    }
    clients[socket] = client
  }

  /// Takes all whole lines away.
  private static func lines(_ received: inout [UInt8]) -> [String] {
    var result: [String] = []
    while let end = received.firstIndex(of: 10) {
      result.append(String(decoding: received[..<end], as: UTF8.self))
      received.removeFirst(end + 1)
    }
    return result
  }

  private func takeDatagram(_ socket: Int32) {
    var buffer = [UInt8](repeating: 0, count: DebugHashServer.maximumRequest)
    var address = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let count = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        recvfrom(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT), $0, &size)
      }
    }
    guard count > 0 else { return }
    var lines = Array(buffer[0..<count])
    if lines.last != 10 { lines.append(10) }
    // Too much to do: who asked by datagram expects that one may be lost.
    _ = workers.ask(DebugHashServer.lines(&lines), for: .datagram(socket, address, size))
  }

  private func takeAnswers() {
    for (asker, answer) in workers.answers() {
      switch asker {
      case .client(let socket, let number):
        guard clients[socket]?.number == number else { continue }
        clients[socket]?.isWaiting = false
        clients[socket]?.lastUse = time(nil)
        clients[socket]?.pending = answer
      case .datagram(let socket, var address, let size):
        withUnsafePointer(to: &address) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            _ = sendto(socket, answer, answer.count, Int32(MSG_DONTWAIT), $0, size)
          }
        }
      }
    }
  }

  private func dropIdle() {
    let now = time(nil)
    for (socket, client) in clients where !client.isWaiting && now - client.lastUse > DebugHashServer.idleSeconds {
      drop(socket)
    }
  }

  private func drop(_ socket: Int32) {
    clients[socket] = nil
    Foundation.close(socket)
  }
}
