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

  /// Bits 63: present, 62: in swap, 61: of a file or shared (Documentation/admin-guide/mm/pagemap.rst).
  static func state(_ word: UInt64) -> State {
    if word >> 62 == 0 { return .absent }
    return word >> 61 & 1 == 1 ? .present : .changed
  }
}
