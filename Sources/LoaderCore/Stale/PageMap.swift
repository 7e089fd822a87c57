import CKernel

/// Which pages of this process are mapped, by /proc/self/pagemap: what is said about text that is away is checked
/// with the kernel before it counts.
struct PageMap {
  enum State: Equatable {
    case absent
    /// A page of a file, or of memory that is shared.
    case present
    /// Somebody wrote to it: a debugger's breakpoint, or a program that changes its code.
    case changed
  }

  private let file: FileDescriptor

  init() throws(Errno) { file = try FileDescriptor.open(Path("/proc/self/pagemap")) }

  func close() { file.close() }

  /// The state of every page of the range.
  func states(of range: AddressRange) throws(Errno) -> [State] {
    let count = Int(range.count / Segments.pageSize)
    var words = [UInt64](repeating: 0, count: count)
    var done = 0
    while done < count * 8 {
      let got = words.withUnsafeMutableBytes { buffer -> Result<Int, Errno> in
        do throws(Errno) {
          return .success(
            try file.read(
              into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]),
              at: range.start / Segments.pageSize * 8 + UInt64(done)))
        } catch {
          return .failure(error)
        }
      }
      let size = try got.get()
      guard size > 0 else { throw Errno(EIO) }
      done += size
    }
    return words.map(PageMap.state)
  }

  /// The parts of the range that have memory; all of it where that can't be read. Nobody else's memory is made to
  /// appear by reading what is not there.
  func presentParts(of range: AddressRange) -> [AddressRange] {
    var parts: [AddressRange] = []
    var start = range.start
    while start < range.end {
      let piece = AddressRange(start: start, count: min(range.end - start, PageMap.piece))
      let states = (try? states(of: piece)) ?? []
      for index in 0..<Int(piece.count / Segments.pageSize) where states.isEmpty || states[index] != .absent {
        let page = piece.start + UInt64(index) * Segments.pageSize
        if let last = parts.last, last.end == page {
          parts[parts.count - 1] = AddressRange(start: last.start, count: last.count + Segments.pageSize)
        } else {
          parts.append(AddressRange(start: page, count: Segments.pageSize))
        }
      }
      start += piece.count
    }
    return parts
  }

  /// 64 KiB of the file.
  private static var piece: UInt64 { 32 << 20 }

  /// Bits 63: present, 62: in swap, 61: of a file or shared (Documentation/admin-guide/mm/pagemap.rst).
  static func state(_ word: UInt64) -> State {
    if word >> 62 == 0 { return .absent }
    return word >> 61 & 1 == 1 ? .present : .changed
  }
}
