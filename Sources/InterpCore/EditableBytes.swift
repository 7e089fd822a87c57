import ELF

/// A file's bytes that can be changed: the one place where writing is checked against bounds.
struct EditableBytes {
  private(set) var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var count: Int { bytes.count }

  /// false, and nothing is written, where the bytes do not all lie inside.
  @discardableResult
  mutating func store(_ new: [UInt8], at offset: UInt64) -> Bool {
    guard offset <= UInt64(bytes.count), new.count <= bytes.count - Int(offset) else { return false }
    bytes.replaceSubrange(Int(offset)..<Int(offset) + new.count, with: new)
    return true
  }

  @discardableResult
  mutating func store<T: BitwiseCopyable>(_ value: T, at offset: UInt64) -> Bool {
    store(withUnsafeBytes(of: value) { Array($0) }, at: offset)
  }

  func load<T: BitwiseCopyable>(_ type: T.Type, at offset: UInt64) -> T? {
    bytes.withELFBytes { $0.load(type, at: offset) }
  }

  /// A copy of `count` bytes at `offset`.
  func copy(at offset: UInt64, count: UInt64) -> [UInt8]? {
    bytes.withELFBytes { $0.slice(at: offset, count: count)?.copy() }
  }

  @discardableResult
  mutating func remove(at offset: UInt64, count: UInt64) -> Bool {
    guard offset <= UInt64(bytes.count), count <= UInt64(bytes.count) - offset else { return false }
    bytes.removeSubrange(Int(offset)..<Int(offset + count))
    return true
  }

  @discardableResult
  mutating func insertZeros(at offset: UInt64, count: Int) -> Bool {
    guard offset <= UInt64(bytes.count) else { return false }
    bytes.insert(contentsOf: repeatElement(0, count: count), at: Int(offset))
    return true
  }
}

extension [UInt8] {
  /// The array as the readers' type, which is valid during `body` only.
  func withELFBytes<R>(_ body: (Bytes) -> R) -> R {
    withUnsafeBytes { body(Bytes($0)) }
  }

  /// These bytes, then zeros up to `size`.
  func padded(to size: Int) -> [UInt8] {
    self + [UInt8](repeating: 0, count: Swift.max(size - count, 0))
  }
}
