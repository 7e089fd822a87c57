import CKernel

/// User and group ids, groups and capabilities; for the kernel each thread has its own.
public struct Credentials: Equatable, Sendable {
  /// Real, effective, saved, file system.
  var users: [UInt32] = []
  var groups: [UInt32] = []
  var supplementary: [UInt32] = []
  var inheritable: UInt64 = 0
  var permitted: UInt64 = 0
  var effective: UInt64 = 0

  public static var effectiveUser: UInt32 { UInt32(truncatingIfNeeded: luci_syscall0(Int(__NR_geteuid))) }
  public static var effectiveGroup: UInt32 { UInt32(truncatingIfNeeded: luci_syscall0(Int(__NR_getegid))) }

  init() {}

  /// From the text of /proc/PID/status (proc(5)); nil where something is missing or malformed.
  init?(status: Bytes) {
    var found: UInt = 0
    var start = 0
    while start < status.count {
      var end = start
      while end < status.count && status[end] != 10 { end += 1 }
      guard let line = status.slice(at: UInt64(start), count: UInt64(end - start)) else { return nil }
      start = end + 1
      guard take(line, &found) else { return nil }
    }
    guard found == 0b11_1111, users.count == 4, groups.count == 4 else { return nil }
  }

  private mutating func take(_ line: Bytes, _ found: inout UInt) -> Bool {
    if line.hasPrefix("Uid:") {
      found |= 1
      return Credentials.read(line.suffix(from: 4), into: &users)
    } else if line.hasPrefix("Gid:") {
      found |= 2
      return Credentials.read(line.suffix(from: 4), into: &groups)
    } else if line.hasPrefix("Groups:") {
      found |= 4
      return Credentials.read(line.suffix(from: 7), into: &supplementary)
    } else if line.hasPrefix("CapInh:") {
      found |= 8
      return Credentials.read(line.suffix(from: 7), into: &inheritable)
    } else if line.hasPrefix("CapPrm:") {
      found |= 16
      return Credentials.read(line.suffix(from: 7), into: &permitted)
    } else if line.hasPrefix("CapEff:") {
      found |= 32
      return Credentials.read(line.suffix(from: 7), into: &effective)
    }
    return true
  }

  /// Decimal numbers between blanks.
  private static func read(_ bytes: Bytes?, into list: inout [UInt32]) -> Bool {
    guard let bytes else { return false }
    list = []
    var value: UInt64?
    for index in 0...bytes.count {
      let byte = index < bytes.count ? bytes[index] : 32
      if byte == 32 || byte == 9 {
        if let value { list.append(UInt32(value)) }
        value = nil
      } else {
        guard (48...57).contains(byte) else { return false }
        let next = (value ?? 0) * 10 + UInt64(byte - 48)
        guard next <= UInt64(UInt32.max) else { return false }
        value = next
      }
    }
    return true
  }

  /// One hexadecimal number.
  private static func read(_ bytes: Bytes?, into value: inout UInt64) -> Bool {
    guard let digits = bytes?.trimmed, digits.count > 0, digits.count <= 16 else { return false }
    value = 0
    for index in 0..<digits.count {
      let byte = digits[index] | 32
      let digit: UInt8 = (48...57).contains(byte) ? byte - 48 : (97...102).contains(byte) ? byte - 87 : 16
      guard digit < 16 else { return false }
      value = value << 4 | UInt64(digit)
    }
    return true
  }
}
