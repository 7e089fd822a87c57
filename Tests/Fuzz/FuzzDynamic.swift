// fuzz-only: Sources/ELF
// fuzz-tables: .dynamic

/// The dynamic section: the input is one, in an object that has nothing else. Two bytes before it are the pages of the
/// load bias that a loader added to its pointers.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDynamic(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size > 2 else { return 0 }
  let input = Bytes(start: UnsafeRawPointer(data), count: size)
  guard let entries = input.suffix(from: 2) else { return 0 }
  let extra = (0..<entries.count / 16).map { index in
    (
      Int32(truncatingIfNeeded: entries.load(Int64.self, at: index * 16) ?? 0),
      entries.load(UInt64.self, at: index * 16 + 8) ?? 0
    )
  }
  let file = TableFile(.empty, [], extra: extra)
  file.bytes.withUnsafeBytes { read(Bytes($0), bias: UInt64(input.load(UInt16.self, at: 0) ?? 0) << 12) }
  return 0
}

private func read(_ bytes: Bytes, bias: UInt64) {
  guard let header = try? FileHeader(bytes), let segments = try? Segments(bytes, header),
    let range = segments.dynamic
  else { fatalError("the frame is sound") }
  for image in [Image(file: bytes, segments: segments), Image(mapping: bytes, segments: segments)] {
    for bias in [0, bias] {
      guard let section = try? DynamicSection(image, at: range, relocatedBy: bias) else { continue }
      _ = try? SymbolTable(image, section)
      precondition(section.needed.count <= bytes.count / 16)
    }
  }
  guard let file = try? ObjectFile(bytes) else { return }
  _ = (file.soname, file.buildID, file.interpreter, try? file.dynamicSymbolCount())
}
