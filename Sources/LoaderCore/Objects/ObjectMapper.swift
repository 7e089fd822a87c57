import CKernel

/// Brings an object into memory: its whole file for reading, and its segments at a place of their own.
public enum ObjectMapper {
  public static var pageSize: UInt64 { Segments.pageSize }

  /// A file's content, mapped for reading; stays mapped.
  public static func content(of file: FileDescriptor, size: UInt64, path: Path) throws(LoadError) -> Bytes {
    guard size > 0 else { throw LoadError(.malformed(ELFError(.truncatedHeader, at: 0)), path) }
    do throws(Errno) {
      return ProcessMemory.bytes(at: try Mapping.file(file, offset: 0, size, .read), count: size)
    } catch {
      throw LoadError(.mapFailed(error), path)
    }
  }

  /// Maps the loadable segments of `content` from `file`. Nothing is relocated or protected yet: writable and
  /// RELRO pages are writable, the rest as the segments say.
  ///
  /// `place` is where the first page has to go (an absolute address for ET_EXEC, one within reach for a newer
  /// version); 0: anywhere. `isOwn`: the place is kept free by Luci itself. Returns the load bias.
  public static func map(
    _ segments: Segments, of file: FileDescriptor, at place: UInt64, isOwn: Bool = false, path: Path
  ) throws(LoadError) -> UInt64 {
    let span = segments.span
    do throws(Errno) {
      // Where the segments follow each other without gaps, the first one's mapping is made as large as all, and the
      // others come over it.
      let isFree = !isOwn && place == 0 && segments.alignment <= pageSize
      let first = isFree && segments.isDense ? segments.loads.first : nil
      let start: UInt64
      if let first {
        start = try Mapping.file(
          file, offset: first.fileOffset & ~(pageSize - 1), span.count,
          Mapping.Protection(segmentFlags: first.flags))
      } else {
        start = isOwn ? place : try reserve(span.count, alignment: segments.alignment, at: place)
      }
      let bias = start &- span.start
      do throws(Errno) {
        for load in segments.loads.dropFirst(first == nil ? 0 : 1) { try map(load, bias: bias, file) }
      } catch {
        Mapping.unmap(start, span.count)
        throw error
      }
      return bias
    } catch {
      throw LoadError(.mapFailed(error), path)
    }
  }

  /// What was written to an object's pages is gone: its segments come from the file again, at the same place.
  static func mapAnew(_ object: LoadedObject, of file: FileDescriptor, path: Path) throws(LoadError) {
    do throws(Errno) {
      for load in object.segments.loads where load.isWritable || object.dynamic.hasTextRelocations {
        try map(load, bias: object.bias, file)
      }
    } catch {
      throw LoadError(.mapFailed(error), path)
    }
  }

  private static func reserve(_ size: UInt64, alignment: UInt64, at place: UInt64) throws(Errno) -> UInt64 {
    if place != 0 { return try Mapping.anonymous(size, .none, at: place, reserveOnly: true) }
    if alignment <= pageSize { return try Mapping.anonymous(size, .none, reserveOnly: true) }
    // More than a page: take more and give back what lies around the aligned part.
    let start = try Mapping.anonymous(size + alignment, .none, reserveOnly: true)
    let aligned = (start + alignment - 1) & ~(alignment - 1)
    if aligned > start { Mapping.unmap(start, aligned - start) }
    let end = aligned + size
    if start + size + alignment > end { Mapping.unmap(end, start + size + alignment - end) }
    return aligned
  }

  private static func map(_ load: LoadSegment, bias: UInt64, _ file: FileDescriptor) throws(Errno) {
    let mask = pageSize - 1
    let protection = Mapping.Protection(segmentFlags: load.flags)
    let start = (bias &+ load.address) & ~mask
    let memoryEnd = bias &+ load.end
    let fileEnd = bias &+ load.address &+ load.fileSize
    var mapped = start
    if load.fileSize > 0 {
      let size = ((fileEnd + mask) & ~mask) - start
      // Valgrind takes a file for a library when it is mapped for execution and for writing, and reads its symbols then.
      if load.isWritable, size <= largestRead, luci_on_valgrind() == 0 {
        try read(load, start: start, size: size, protection, file)
      } else {
        _ = try Mapping.file(file, offset: load.fileOffset & ~mask, size, protection, at: start)
      }
      mapped = start + size
      // The rest of the last page is .bss, and holds what follows in the file. It is cleared to its end, as the
      // kernel does: glibc's loader allocates behind its own .bss.
      if load.memorySize > load.fileSize, load.isWritable {
        ProcessMemory.zero(fileEnd, count: mapped - fileEnd)
      }
    }
    let end = (memoryEnd + mask) & ~mask
    if end > mapped { _ = try Mapping.anonymous(end - mapped, protection, at: mapped, replacing: true) }
  }

  private static var largestRead: UInt64 { 16 << 20 }

  /// Writable pages are read into memory instead of being mapped: nearly all are written to by relocations at once, and
  /// a page that is read is cheaper than one that is mapped, found read-only and copied (10 to 14 % less time for 1 to
  /// 98 pages). And state, which outlives the file, is no mapping of a deleted file then.
  private static func read(
    _ load: LoadSegment, start: UInt64, size: UInt64, _ protection: Mapping.Protection, _ file: FileDescriptor
  ) throws(Errno) {
    _ = try Mapping.anonymous(size, protection, at: start, replacing: true)
    let offset = load.fileOffset & ~(pageSize - 1)
    var done: UInt64 = 0
    // The file may end within the last page.
    while done < size {
      let got = luci_syscall4(
        Int(__NR_pread64), Int(file.number), Int(bitPattern: UInt(start + done)), Int(size - done), Int(offset + done)
      )
      if got == -Int(EINTR) { continue }
      let count = try check(got)
      if count == 0 { break }
      done += UInt64(count)
    }
    let needed = (load.fileOffset & (pageSize - 1)) + load.fileSize
    if done < needed { throw Errno(EIO) }
  }

  /// The object's bytes where they are mapped.
  public static func image(_ segments: Segments, bias: UInt64) -> Image {
    let span = segments.span
    return Image(
      mapping: ProcessMemory.bytes(at: bias &+ span.start, count: span.count), segments: segments)
  }

  /// Makes RELRO read-only once everything in it is written.
  public static func protectRELRO(_ object: LoadedObject) throws(LoadError) {
    guard let range = wholePages(of: object.segments.relro, bias: object.bias) else { return }
    do throws(Errno) {
      try Mapping.protect(range.start, range.count, .read)
    } catch {
      throw LoadError(.protectFailed(error), object.path)
    }
  }

  /// The pages that lie in RELRO as a whole: the first and last may hold other data.
  public static func wholePages(of relro: AddressRange?, bias: UInt64) -> AddressRange? {
    guard let relro else { return nil }
    let start = (bias &+ relro.start) & ~(pageSize - 1)
    let end = (bias &+ relro.end) & ~(pageSize - 1)
    return end > start ? AddressRange(start: start, end: end) : nil
  }
}
