import CKernel

/// A run of text of an outdated version that can be taken away and put back.
///
/// Its pages are mapped from a memory file of their own with the same content, and registered for faults that find the
/// page in the file, but not mapped (UFFD_FEATURE_MINOR_SHMEM). Taking away is dropping page table entries, nothing
/// else: the content stays where it is. So in a process that nobody serves (a forked child, or after the fault server
/// has gone) the same memory is ordinary text.
struct TextRange {
  let range: AddressRange

  /// Replaces the text by the same text of a memory file. Other threads run it meanwhile and see no difference: the
  /// kernel exchanges the mapping while nobody can look (mmap(2), MAP_FIXED).
  /// `use` gets the file before it is closed.
  init(
    _ range: AddressRange, of version: LoadedObject, use: (FileDescriptor) throws(Errno) -> Void = { _ in }
  ) throws(Errno) {
    self.range = range
    let file = try FileDescriptor.inMemory(named: version.path.lastComponent.withBytes { Path($0.prefix(240)) })
    defer { file.close() }
    try file.truncate(to: range.count)
    // Nothing reads the text here but the kernel: it is there as long as it is not registered.
    try file.writeAll(ProcessMemory.bytes(at: range.start, count: range.count))
    guard try file.status().size == range.count else { throw Errno.noMemory }
    _ = try Mapping.file(file, offset: 0, range.count, [.read, .execute], at: range.start)
    try use(file)
  }

  /// Drops all page table entries. Whoever runs this text faults at its next instruction.
  func drop(_ part: AddressRange) throws(Errno) {
    // MADV_DONTNEED; MADV_DONTNEED_LOCKED (Linux 5.18) where the program keeps its memory locked.
    let result = luci_syscall3(Int(__NR_madvise), Int(bitPattern: UInt(part.start)), Int(part.count), 4)
    if result == -Int(EINVAL) {
      _ = try check(
        luci_syscall3(Int(__NR_madvise), Int(bitPattern: UInt(part.start)), Int(part.count), 24))
      return
    }
    _ = try check(result)
  }
}
