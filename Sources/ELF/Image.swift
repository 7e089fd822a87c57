/// The addresses of an object, and the bytes behind them: in its file, or where it is mapped.
///
/// The same readers (dynamic section, symbols, relocations) work over both, since they only ever ask for
/// "n bytes at this address of the object".
public struct Image {
  enum Layout { case file, memory }

  let bytes: Bytes
  public let segments: Segments
  let layout: Layout

  /// An object as it lies in its file.
  public init(file: Bytes, segments: Segments) {
    bytes = file
    self.segments = segments
    layout = .file
  }

  /// An object that is mapped; `mapping` covers `segments.span`.
  public init(mapping: Bytes, segments: Segments) {
    bytes = mapping
    self.segments = segments
    layout = .memory
  }

  /// `count` bytes at `address` of the object. In a file, memory behind a segment's file content (.bss) has no
  /// bytes: nil, as for everything outside.
  public func bytes(at address: UInt64, count: UInt64) -> Bytes? {
    for load in segments.loads where load.contains(address) {
      let inside = address - load.address
      let available = layout == .file ? load.fileSize : load.memorySize
      guard inside <= available, count <= available - inside else { return nil }
      return bytes.slice(at: position(of: load) + inside, count: count)
    }
    return nil
  }

  /// Everything from `address` to the end of its segment.
  public func bytes(from address: UInt64) -> Bytes? {
    for load in segments.loads where load.contains(address) {
      let inside = address - load.address
      let available = layout == .file ? load.fileSize : load.memorySize
      guard inside <= available else { return nil }
      return bytes.slice(at: position(of: load) + inside, count: available - inside)
    }
    return nil
  }

  public func load<T: BitwiseCopyable>(_ type: T.Type, at address: UInt64) -> T? {
    bytes(at: address, count: UInt64(MemoryLayout<T>.size))?.load(type, at: 0)
  }

  private func position(of load: LoadSegment) -> UInt64 {
    layout == .file ? load.fileOffset : load.address - segments.span.start
  }

  /// The segment that holds `address`.
  public func segment(at address: UInt64) -> LoadSegment? {
    for load in segments.loads where load.contains(address) { return load }
    return nil
  }
}
