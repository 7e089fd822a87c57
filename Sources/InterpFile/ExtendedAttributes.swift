import CXattr
import Glibc
import SystemPackage

/// The extended attributes of an open file: access control lists, capabilities, labels of security modules and
/// the user's own (xattr(7)).
struct ExtendedAttributes: Equatable {
  private(set) var values: [(name: [UInt8], value: [UInt8])] = []

  /// Empty where the file system has none.
  init(of file: FileDescriptor) throws(Errno) {
    guard
      let names = try ExtendedAttributes.read({ buffer, size in
        flistxattr(file.rawValue, buffer, size)
      })
    else { return }
    for name in names.split(separator: 0) {
      // nil: removed in between.
      if let value = try ExtendedAttributes.value(of: Array(name), in: file) {
        values.append((Array(name), value))
      }
    }
  }

  static func == (left: ExtendedAttributes, right: ExtendedAttributes) -> Bool {
    left.values.count == right.values.count
      && left.values.allSatisfy { one in right.values.contains { $0.name == one.name && $0.value == one.value } }
  }

  /// Only what the kernel drops when the file is written to.
  var capabilities: ExtendedAttributes {
    var some = self
    some.values = values.filter { $0.name == Array("security.capability".utf8) }
    return some
  }

  struct Failure: Error {
    let name: String
    let errno: Errno
  }

  /// Gives `file` these attributes. One that has its value already is left alone: labels are often given by the
  /// system, and setting them is not everybody's right.
  func apply(to file: FileDescriptor, always: Bool = false) throws(Failure) {
    for (name, value) in values {
      let current = try? ExtendedAttributes.value(of: name, in: file)
      if current == value, !always { continue }
      if fsetxattr(file.rawValue, ExtendedAttributes.cString(name), value, value.count, 0) != 0 {
        throw Failure(name: String(decoding: name, as: UTF8.self), errno: Errno(rawValue: errno))
      }
    }
  }

  private static func value(of name: [UInt8], in file: FileDescriptor) throws(Errno) -> [UInt8]? {
    try read { buffer, size in fgetxattr(file.rawValue, cString(name), buffer, size) }
  }

  private static func cString(_ name: [UInt8]) -> [CChar] { name.map { CChar(bitPattern: $0) } + [0] }

  /// Calls `get` with a buffer of the largest size that the kernel has (XATTR_SIZE_MAX and XATTR_LIST_MAX, both
  /// 64 KiB). nil: there is no such attribute, or no attributes at all.
  private static func read(_ get: (_ buffer: UnsafeMutablePointer<CChar>, _ size: Int) -> Int) throws(Errno)
    -> [UInt8]?
  {
    var result = 0
    var error: CInt = 0
    let size = 1 << 16
    let buffer = [CChar](unsafeUninitializedCapacity: size) { memory, count in
      guard let start = memory.baseAddress else { return }
      result = get(start, size)
      error = errno
      count = max(result, 0)
    }
    guard result >= 0 else {
      if error == ENODATA || error == EOPNOTSUPP || error == ENOSYS { return nil }
      throw Errno(rawValue: error)
    }
    return buffer.map { UInt8(bitPattern: $0) }
  }
}
