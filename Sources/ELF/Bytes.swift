import CKernel

/// A read-only run of bytes: a file's content, a mapped image, fuzz input.
///
/// This is the one place where reading is checked against bounds. Everything that interprets a binary reads
/// through it, so that no malformed input can reach memory it does not own. The memory must outlive the value.
public struct Bytes {
  @usableFromInline let start: UnsafeRawPointer
  /// Number of bytes.
  public let count: Int

  /// The bytes [start, start + count) must stay readable for as long as this value, or a slice of it, is used.
  public init(start: UnsafeRawPointer, count: Int) {
    self.start = start
    self.count = max(count, 0)
  }

  public init(_ buffer: UnsafeRawBufferPointer) {
    self.init(start: buffer.baseAddress ?? Bytes.emptyStart, count: buffer.count)
  }

  public init(_ literal: StaticString) {
    self.init(start: UnsafeRawPointer(literal.utf8Start), count: literal.utf8CodeUnitCount)
  }

  /// The bytes of a NUL-terminated string, without the NUL. The caller vouches for the terminator.
  public init(cString: UnsafeRawPointer) {
    var length = 0
    while cString.load(fromByteOffset: length, as: UInt8.self) != 0 { length += 1 }
    self.init(start: cString, count: length)
  }

  static var emptyStart: UnsafeRawPointer { UnsafeRawPointer(StaticString("").utf8Start) }
  public static var empty: Bytes { Bytes(start: emptyStart, count: 0) }

  /// A value at `offset` (any alignment), or nil where it does not lie inside.
  @inline(__always)
  public func load<T: BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T? {
    guard offset >= 0, offset <= count &- MemoryLayout<T>.size else { return nil }
    return start.loadUnaligned(fromByteOffset: offset, as: type)
  }

  /// The same for an offset read from a file.
  @inline(__always)
  public func load<T: BitwiseCopyable>(_ type: T.Type, at offset: UInt64) -> T? {
    guard offset <= UInt64(count) else { return nil }
    return load(type, at: Int(offset))
  }

  /// The byte at `index`; 0 outside, for scanning loops that check `count` themselves.
  @inline(__always)
  public subscript(index: Int) -> UInt8 {
    guard index >= 0, index < count else { return 0 }
    return start.load(fromByteOffset: index, as: UInt8.self)
  }

  /// `count` bytes from `offset`, or nil where they do not all lie inside.
  public func slice(at offset: UInt64, count length: UInt64) -> Bytes? {
    guard offset <= UInt64(count), length <= UInt64(count) - offset else { return nil }
    return Bytes(start: start + Int(offset), count: Int(length))
  }

  /// All bytes from `offset` on, or nil where the offset lies outside.
  public func suffix(from offset: UInt64) -> Bytes? {
    guard offset <= UInt64(count) else { return nil }
    return Bytes(start: start + Int(offset), count: count - Int(offset))
  }

  /// The NUL-terminated string at `offset` without its NUL; nil where it does not end inside, or not within
  /// `limit` bytes. Tables of many names need a limit: names may all lie on top of each other, and the search for
  /// their ends would take the product of both sizes.
  public func cString(at offset: UInt64, limit: Int = Int.max) -> Bytes? {
    guard offset < UInt64(count) else { return nil }
    let first = Int(offset)
    let last = count - first > limit ? first + limit : count
    var end = first
    while end < last {
      if start.load(fromByteOffset: end, as: UInt8.self) == 0 {
        return Bytes(start: start + first, count: end - first)
      }
      end += 1
    }
    return nil
  }

  /// Where these bytes lie in this process.
  public var memoryAddress: UInt64 { UInt64(UInt(bitPattern: start)) }

  /// For handing the bytes to the kernel or to code that copies them.
  public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    body(UnsafeRawBufferPointer(start: start, count: count))
  }

  /// Has the bytes at `offset` fetched into the processor's cache, for a load that comes soon.
  @inline(__always)
  public func prefetch(at offset: UInt64) { luci_prefetch(memoryAddress &+ offset) }

  /// A copy that is owned.
  public func copy() -> [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }

  public func hasPrefix(_ prefix: StaticString) -> Bool {
    guard let head = slice(at: 0, count: UInt64(prefix.utf8CodeUnitCount)) else { return false }
    return head == Bytes(prefix)
  }

  public func hasSuffix(_ suffix: StaticString) -> Bool {
    let length = suffix.utf8CodeUnitCount
    guard count >= length else { return false }
    return Bytes(start: start + (count - length), count: length) == Bytes(suffix)
  }

  /// Index of the last byte equal to `byte`.
  public func lastIndex(of byte: UInt8) -> Int? {
    var index = count - 1
    while index >= 0 {
      if self[index] == byte { return index }
      index -= 1
    }
    return nil
  }
}

extension Bytes: Equatable {
  public static func == (left: Bytes, right: Bytes) -> Bool {
    guard left.count == right.count else { return false }
    var index = 0
    while index + 8 <= left.count {
      let a = left.start.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let b = right.start.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      if a != b { return false }
      index += 8
    }
    // The last word may overlap the one before.
    if index < left.count, left.count >= 8 {
      let last = left.count &- 8
      return left.start.loadUnaligned(fromByteOffset: last, as: UInt64.self)
        == right.start.loadUnaligned(fromByteOffset: last, as: UInt64.self)
    }
    while index < left.count {
      let a = left.start.load(fromByteOffset: index, as: UInt8.self)
      let b = right.start.load(fromByteOffset: index, as: UInt8.self)
      if a != b { return false }
      index += 1
    }
    return true
  }
}

extension Bytes: Hashable {
  public func hash(into hasher: inout Hasher) {
    hasher.combine(FNV1a.hash(self))
  }
}

/// The Fowler/Noll/Vo hash, variant 1a, 64 bits: for tables of Luci's own, not for formats.
public struct FNV1a {
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  public init() {}

  @inline(__always)
  public mutating func combine(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }

  public mutating func combine(_ word: UInt64) {
    var rest = word
    for _ in 0..<8 {
      combine(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  public mutating func combine(_ bytes: Bytes) {
    for index in 0..<bytes.count { combine(bytes[index]) }
  }

  public static func hash(_ bytes: Bytes) -> UInt64 {
    var hash = FNV1a()
    hash.combine(bytes)
    return hash.value
  }
}

extension Bytes {
  /// The first byte's address, for an empty run a valid address all the same.
  public var address: UnsafeRawPointer { start }
}
