/// A file name as the kernel takes it: bytes with a NUL behind them, none inside.
public struct Path: Equatable, Hashable, Sendable {
  /// With the terminating NUL.
  private var storage: [UInt8]

  public init(_ bytes: Bytes) {
    storage = bytes.copy()
    if let end = storage.firstIndex(of: 0) { storage.removeSubrange(end...) }
    storage.append(0)
  }

  public init(_ literal: StaticString) { self.init(Bytes(literal)) }

  public init(_ text: Text) {
    storage = text.bytes
    if let end = storage.firstIndex(of: 0) { storage.removeSubrange(end...) }
    storage.append(0)
  }

  /// Number of bytes without the NUL.
  public var count: Int { storage.count - 1 }
  public var isEmpty: Bool { count == 0 }
  public var isAbsolute: Bool { storage[0] == Path.slash }
  static var slash: UInt8 { 47 }

  /// Whether a slash occurs, i.e. whether this is a path rather than a name to be searched.
  public var hasSlash: Bool { storage.contains(Path.slash) }

  /// `body` gets the address of the NUL-terminated name, valid for the call.
  @inline(__always)
  public func withCString<R, E: Error>(_ body: (Int) throws(E) -> R) throws(E) -> R {
    // The closure of withUnsafeBufferPointer keeps the array alive while the kernel reads it.
    let result = storage.withUnsafeBufferPointer { buffer -> Result<R, E> in
      do throws(E) {
        return .success(try body(Int(bitPattern: buffer.baseAddress)))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// The name's bytes, valid for the call.
  public func withBytes<R>(_ body: (Bytes) -> R) -> R {
    storage.withUnsafeBytes { body(Bytes(start: $0.baseAddress ?? Bytes.empty.address, count: count)) }
  }

  /// Appends the name to a message.
  public func write(to text: inout Text) { text.append(Array(storage[0..<count])) }

  /// The part behind the last slash.
  public var lastComponent: Path {
    withBytes { bytes in
      guard let slash = bytes.lastIndex(of: Path.slash) else { return Path(bytes) }
      return Path(bytes.suffix(from: UInt64(slash + 1)) ?? bytes)
    }
  }

  /// The directory: what stands before the last slash, "." without one, "/" for a file in the root.
  public var directory: Path {
    withBytes { bytes in
      guard let slash = bytes.lastIndex(of: Path.slash) else { return Path(".") }
      if slash == 0 { return Path("/") }
      return Path(bytes.slice(at: 0, count: UInt64(slash)) ?? bytes)
    }
  }

  /// `self`/`name`.
  public func appending(_ name: Bytes) -> Path {
    var text = Text()
    write(to: &text)
    if count > 0, storage[count - 1] != Path.slash { text.append(byte: Path.slash) }
    text.append(name)
    return Path(text)
  }

  public func appending(_ name: Path) -> Path { name.withBytes { appending($0) } }
}
