import CKernel

/// Where the service is that knows layout hashes: `unix:/path`, `tcp:HOST:PORT` or `udp:HOST:PORT`.
///
/// HOST is an IPv4 address, an IPv6 address in brackets, or `localhost`: names would need the C library's resolver,
/// which the helper must not enter.
public struct DebugHashAddress: Equatable {
  /// As connect(2) takes it.
  public let bytes: [UInt8]
  public let family: UInt16
  public let isDatagram: Bool

  // Of the kernel's include/linux/socket.h, which is not exported.
  private static var familyInternet: UInt16 { 2 }
  private static var familyInternet6: UInt16 { 10 }

  public init?(_ text: Bytes) {
    if text.hasPrefix("unix:") {
      guard let path = text.suffix(from: 5), path.count > 0, path.count < UnixSocket.pathSize, path[0] == 47 else {
        return nil
      }
      (family, isDatagram) = (UnixSocket.familyUnix, false)
      bytes = [UInt8(truncatingIfNeeded: family), 0] + path.copy() + [0]
      return
    }
    guard text.hasPrefix("tcp:") || text.hasPrefix("udp:"), let rest = text.suffix(from: 4),
      let colon = rest.lastIndex(of: 58), let host = rest.slice(at: 0, count: UInt64(colon)),
      let end = rest.suffix(from: UInt64(colon) + 1), let port = SettingValue.decimal(end), port > 0, port < 65536
    else { return nil }
    isDatagram = text[0] == 117
    let portBytes = [UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)]
    if host.count > 2, host[0] == 91, host[host.count - 1] == 93,
      let inner = host.slice(at: 1, count: UInt64(host.count - 2)), let address = DebugHashAddress.internet6(inner)
    {
      family = DebugHashAddress.familyInternet6
      // sockaddr_in6: family, port, flow information, address, scope.
      bytes = [UInt8(truncatingIfNeeded: family), 0] + portBytes + [0, 0, 0, 0] + address + [0, 0, 0, 0]
    } else if let address = host == Bytes("localhost") ? [127, 0, 0, 1] : DebugHashAddress.internet(host) {
      family = DebugHashAddress.familyInternet
      bytes = [UInt8(truncatingIfNeeded: family), 0] + portBytes + address + [UInt8](repeating: 0, count: 8)
    } else {
      return nil
    }
  }

  /// Four decimal numbers.
  private static func internet(_ text: Bytes) -> [UInt8]? {
    var found: [UInt8] = []
    var start: UInt64 = 0
    for index in 0...text.count where index == text.count || text[index] == 46 {
      guard let part = text.slice(at: start, count: UInt64(index) - start), let value = SettingValue.decimal(part),
        value < 256, part.count < 4
      else { return nil }
      found.append(UInt8(value))
      start = UInt64(index) + 1
    }
    return found.count == 4 ? found : nil
  }

  /// Groups of up to four hexadecimal digits, with one `::` for zeros (RFC 4291, section 2.2, without the mixed form).
  private static func internet6(_ text: Bytes) -> [UInt8]? {
    var groups: [UInt16] = []
    var gap: Int?
    var index = 0
    if text[0] == 58 {
      guard text[1] == 58 else { return nil }
    }
    while index < text.count {
      if text[index] == 58, text[index + 1] == 58 {
        guard gap == nil else { return nil }
        gap = groups.count
        index += 2
        continue
      }
      if text[index] == 58 {
        guard index > 0, index + 1 < text.count else { return nil }
        index += 1
      }
      var value: UInt32 = 0
      let first = index
      while index < text.count, let digit = hexadecimal(text[index]) {
        value = value << 4 | UInt32(digit)
        index += 1
        if index - first > 4 { return nil }
      }
      guard index > first, groups.count < 8 else { return nil }
      groups.append(UInt16(truncatingIfNeeded: value))
    }
    guard gap != nil ? groups.count < 8 : groups.count == 8 else { return nil }
    var result: [UInt8] = []
    for position in 0...groups.count {
      if position == gap { result += [UInt8](repeating: 0, count: (8 - groups.count) * 2) }
      if position < groups.count {
        result += [UInt8(truncatingIfNeeded: groups[position] >> 8), UInt8(truncatingIfNeeded: groups[position])]
      }
    }
    return result
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 65...70: byte - 55
    case 97...102: byte - 87
    default: nil
    }
  }
}
