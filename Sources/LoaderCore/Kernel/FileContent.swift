import CKernel

extension FileDescriptor {
  /// The whole of a small regular file.
  public static func content(of path: Path, limit: UInt64) throws(Errno) -> [UInt8] {
    let file = try open(path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
    defer { file.close() }
    let status = try file.status()
    guard status.isRegular else { throw Errno.invalid }
    guard status.size <= limit else { throw Errno.tooLarge }
    return try file.content(size: status.size)
  }

  /// A file of /proc, which tells no size: at most `limit` bytes.
  static func textOfProcess(_ name: StaticString, limit: Int = 1 << 20) throws(Errno) -> [UInt8] {
    let file = try open(Path(name))
    defer { file.close() }
    var content = [UInt8](repeating: 0, count: 8 << 10)
    var done = 0
    while true {
      let count = try content.fill(from: file, at: done)
      if count == 0 { break }
      done += count
      if done == content.count {
        guard content.count < limit else { throw Errno.tooLarge }
        content.append(contentsOf: [UInt8](repeating: 0, count: content.count))
      }
    }
    content.removeLast(content.count - done)
    return content
  }

  /// What one call reads of the first `size` bytes: all of a file of /proc that is no longer.
  func beginning(size: Int) throws(Errno) -> [UInt8] {
    var content = [UInt8](repeating: 0, count: size)
    let count = try content.fill(from: self, at: 0)
    content.removeLast(size - count)
    return content
  }

  /// The first `size` bytes, or as many as there are.
  func content(size: UInt64) throws(Errno) -> [UInt8] {
    var failure: Errno?
    let content = [UInt8](unsafeUninitializedCapacity: Int(size)) { (buffer, done) in
      let room = UnsafeMutableRawBufferPointer(buffer)
      do throws(Errno) {
        while done < Int(size) {
          let got = try read(into: UnsafeMutableRawBufferPointer(rebasing: room[done..<Int(size)]))
          if got == 0 { break }
          done += got
        }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return content
  }
}
