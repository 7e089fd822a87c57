import CKernel

/// A version that was given up lets go of the file that it was mapped from: what else of it is mapped (headers,
/// constants, the whole file for comparisons) goes over to memory files with the same content, as its text did before.
///
/// So the file, of which nothing but these mappings may be left, is gone for good, and whoever judges a process by
/// mappings of deleted files (checkrestart, lsof) finds none. State is no mapping of a file from the start
/// (`ObjectMapper`). Memory files have the file's name, and are known as such to these tools.
enum FileRelease {
  /// On the helper. Objects of several versions stay mapped until the end, so nobody else maps or unmaps these places.
  static func release(_ version: LoadedObject, texts: [AddressRange]) throws(Errno) {
    guard version.privateCopy == nil, !version.isFileReleased, let content = version.fileContent else { return }
    let mask = Segments.pageSize - 1
    for load in version.segments.loads where !load.isWritable && load.isReadable && load.fileSize > 0 {
      let start = (version.bias &+ load.address) & ~mask
      let end = (version.bias &+ load.address &+ load.fileSize &+ mask) & ~mask
      for part in gaps(in: AddressRange(start: start, end: end), of: texts) {
        try replace(part, version.path, Mapping.Protection(segmentFlags: load.flags))
      }
    }
    let size = (UInt64(content.count) &+ mask) & ~mask
    try replace(AddressRange(start: content.memoryAddress, count: size), version.path, .read)
    version.isFileReleased = true
  }

  /// The parts of a range that are in none of the others, which are ascending.
  static func gaps(in whole: AddressRange, of others: [AddressRange]) -> [AddressRange] {
    var result: [AddressRange] = []
    var start = whole.start
    for other in others where other.overlaps(whole) {
      if other.start > start { result.append(AddressRange(start: start, end: other.start)) }
      start = max(start, other.end)
    }
    if start < whole.end { result.append(AddressRange(start: start, end: whole.end)) }
    return result
  }

  /// The kernel exchanges the mapping while nobody can look (mmap(2), MAP_FIXED). Another who reads a file that was
  /// truncated gets SIGBUS; write(2) tells it.
  private static func replace(
    _ range: AddressRange, _ path: Path, _ protection: Mapping.Protection
  ) throws(Errno) {
    let file = try FileDescriptor.inMemory(named: path.lastComponent.withBytes { Path($0.prefix(240)) })
    defer { file.close() }
    try file.writeAll(ProcessMemory.bytes(at: range.start, count: range.count))
    guard try file.status().size == range.count else { throw Errno.noMemory }
    _ = try Mapping.file(file, offset: 0, range.count, protection, at: range.start)
  }
}
