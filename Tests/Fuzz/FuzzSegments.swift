// fuzz-only: Sources/ELF

/// File header, program headers and sections. What `Segments` promises to everything that is built on it is checked.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSegments(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  let bytes = Bytes(start: UnsafeRawPointer(data), count: size)
  // As a file; and as what the kernel hands over (AT_PHDR), which has no header.
  if let header = try? FileHeader(bytes), let segments = try? Segments(bytes, header) {
    check(segments, fileSize: UInt64(size))
    if let sections = try? Sections(bytes, header) {
      for section in sections.all.prefix(1000) { _ = sections.containing(section.address)?.name.count }
      _ = ObjectFile.staticSymbols(sections, bytes)?.limit
    }
    _ = (try? ObjectFile(bytes)).flatMap { originalInterpreter(of: $0)?.count }
  }
  if let segments = try? Segments(table: bytes, at: 0, fileSize: 1 << 47) { check(segments, fileSize: 1 << 47) }
  _ = InterpreterRecord(bytes)?.undo?.patches.count
  return 0
}

private func check(_ segments: Segments, fileSize: UInt64) {
  var position: UInt64 = 0
  for load in segments.loads {
    precondition(load.address >= position && load.memorySize > 0 && load.fileSize <= load.memorySize)
    precondition(load.fileOffset <= fileSize && load.fileSize <= fileSize - load.fileOffset)
    precondition((load.address ^ load.fileOffset) & 4095 == 0)
    position = (load.end + 4095) & ~4095
  }
  let span = segments.span
  precondition(!segments.loads.isEmpty && span.start & 4095 == 0 && span.end & 4095 == 0 && span.count > 0)
  for range in [segments.dynamic, segments.ehFrameHeader] + segments.notes.map(Optional.init) {
    if let range { precondition(segments.covers(range) && range.start >= span.start && range.end <= span.end) }
  }
  if let relro = segments.relro { precondition(relro.start >= span.start && relro.end <= span.end) }
  if let tls = segments.tls {
    precondition(tls.alignment > 0 && tls.alignment & (tls.alignment - 1) == 0 && tls.fileSize <= tls.memorySize)
  }
  _ = segments.isDense
}
