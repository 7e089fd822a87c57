import CKernel

/// Why there is no private copy.
public enum CopyFailure: Error, Equatable {
  case open(Errno)
  case status(Errno)
  case notRegular
  case empty
  case tooLarge
  case read(Errno)
  /// memfd_create(2), its size, seals or mapping.
  case memory(Errno)
  /// The file changed while it was read: try again when it has settled (`FileWatcher.postpone`).
  case changed

  /// What LD_STATUS_INFO calls it.
  public var event: StatusEvent {
    switch self {
    case .open, .notRegular: .openFailed
    case .status: .statusFailed
    case .empty: .unsupportedFormat
    case .tooLarge, .read, .memory, .changed: .wholeMappingFailed
    }
  }

  /// A stable word for programs.
  public var cause: StaticString {
    switch self {
    case .open: "open"
    case .status: "status"
    case .notRegular: "not-regular"
    case .empty: "empty"
    case .tooLarge: "too-large"
    case .read: "read"
    case .memory: "memory"
    case .changed: "changed-while-read"
    }
  }

  public var text: Text {
    switch self {
    case .open(let error), .status(let error): return Text(error.text)
    case .notRegular: return Text("not a regular file")
    case .empty: return Text("file is empty")
    case .tooLarge: return Text("file is larger than 2 GiB")
    case .changed: return Text("file changes while it is read")
    case .read(let error):
      var text = Text("reading failed: ")
      text.append(error.text)
      return text
    case .memory(let error):
      var text = Text("no sealed memory file: ")
      text.append(error.text)
      return text
    }
  }
}

/// A file's content as it was at one moment, in sealed memory: what is checked is what is mapped later.
///
/// Needs memfd_create(2), i.e. Linux 3.17 and no filter against it; there is no substitute without seals, since then
/// checked and mapped bytes could differ. A closed descriptor leaves all mappings in place.
public final class PrivateCopy {
  /// The file's state while it was read.
  public let status: FileStatus
  /// Of the memory file. For mapping segments; valid until `closeDescriptor`, on the thread that made the copy.
  public let descriptor: FileDescriptor
  private let address: UInt64
  private let size: UInt64
  private let thread: Int32
  private var isOpen = true

  public static var limit: UInt64 { 2 << 30 }

  /// Everything, read-only, valid as long as this object.
  public var bytes: Bytes {
    Bytes(start: UnsafeRawPointer(bitPattern: UInt(address)) ?? Bytes.empty.address, count: Int(size))
  }

  /// `limit`: more bytes are refused.
  public convenience init(of path: Path, limit: UInt64 = PrivateCopy.limit) throws(CopyFailure) {
    let source = try PrivateCopy.open(path)
    defer { source.close() }
    try self.init(of: source, status: try PrivateCopy.status(source), path: path, limit: limit)
  }

  /// Of a file that is open, with nothing read yet; it must still be as `before` tells when all is read.
  public init(
    of source: FileDescriptor, status before: FileStatus, path: Path, limit: UInt64 = PrivateCopy.limit
  ) throws(CopyFailure) {
    try before.checkForCopy(limit: limit)
    let memory = try PrivateCopy.memoryFile(named: path)
    do throws(CopyFailure) {
      let copied = try PrivateCopy.copy(source, to: memory, size: before.size)
      guard copied == before.size, try PrivateCopy.status(source) == before else { throw .changed }
      address = try PrivateCopy.seal(memory, size: before.size)
    } catch {
      memory.close()
      throw error
    }
    status = before
    size = before.size
    descriptor = memory
    thread = CurrentThread.id
  }

  /// A file's content as it was at one moment, for who maps nothing of it.
  static func content(of path: Path) throws(CopyFailure) -> [UInt8] {
    let source = try PrivateCopy.open(path)
    defer { source.close() }
    let before = try PrivateCopy.status(source)
    try before.checkForCopy(limit: PrivateCopy.limit)
    let content: [UInt8]
    do throws(Errno) { content = try source.content(size: before.size) } catch { throw .read(error) }
    guard UInt64(content.count) == before.size, try PrivateCopy.status(source) == before else { throw .changed }
    return content
  }

  /// Of bytes that are in memory; `status`: of the file that they came from, nil: the memory file's own.
  init(of bytes: Bytes, status: FileStatus?, path: Path) throws(CopyFailure) {
    let memory = try PrivateCopy.memoryFile(named: path)
    do throws(CopyFailure) {
      try PrivateCopy.write(bytes, to: memory)
      address = try PrivateCopy.seal(memory, size: UInt64(bytes.count))
      if let status { self.status = status } else { self.status = try PrivateCopy.status(memory) }
    } catch {
      memory.close()
      throw error
    }
    size = UInt64(bytes.count)
    descriptor = memory
    thread = CurrentThread.id
  }

  deinit {
    Mapping.unmap(address, size)
    // Elsewhere the number may stand for another file.
    if thread == CurrentThread.id { closeDescriptor() }
  }

  /// On the thread that made the copy, when all segments are mapped. `bytes` stays.
  public func closeDescriptor() {
    if isOpen { descriptor.close() }
    isOpen = false
  }

  private static func open(_ path: Path) throws(CopyFailure) -> FileDescriptor {
    do throws(Errno) {
      // Not waiting for a FIFO's writer, no terminal becomes the process's.
      return try FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
    } catch {
      throw .open(error)
    }
  }

  private static func status(_ file: FileDescriptor) throws(CopyFailure) -> FileStatus {
    do throws(Errno) { return try file.status() } catch { throw .status(error) }
  }

  /// Named like the file, for /proc/PID/maps; the kernel takes 249 bytes.
  private static func memoryFile(named path: Path) throws(CopyFailure) -> FileDescriptor {
    let name = path.lastComponent.withBytes { Path($0.prefix(249)) }
    do throws(Errno) { return try FileDescriptor.inMemory(named: name) } catch { throw .memory(error) }
  }

  /// Copies up to `size` bytes, within the kernel (sendfile(2)), else through a buffer.
  private static func copy(
    _ source: FileDescriptor, to memory: FileDescriptor, size: UInt64
  ) throws(CopyFailure) -> UInt64 {
    var done: UInt64 = 0
    // A file that has grown in the meantime has another status.
    while done < size {
      let wish = Int(min(size - done, 1 << 30))
      let result = luci_syscall4(Int(__NR_sendfile), Int(memory.number), Int(source.number), 0, wish)
      if result == -Int(EINTR) { continue }
      if done == 0 && (result == -Int(EINVAL) || result == -Int(ENOSYS)) {
        return try copyThroughBuffer(source, to: memory, size: size)
      }
      if result < 0 { throw result == -Int(ENOSPC) ? .memory(Errno(ENOSPC)) : .read(Errno(Int32(-result))) }
      if result == 0 { break }
      done += UInt64(result)
    }
    return done
  }

  static func copyThroughBuffer(
    _ source: FileDescriptor, to memory: FileDescriptor, size: UInt64
  ) throws(CopyFailure) -> UInt64 {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    var done: UInt64 = 0
    while done <= size {
      var count = 0
      do throws(Errno) { count = try buffer.fill(from: source, at: 0) } catch { throw .read(error) }
      if count == 0 { break }
      let failure = buffer.withUnsafeBytes { bytes -> Errno? in
        do throws(Errno) {
          try memory.writeAll(Bytes(UnsafeRawBufferPointer(rebasing: bytes[0..<count])))
          return nil
        } catch {
          return error
        }
      }
      if let failure { throw .memory(failure) }
      done += UInt64(count)
    }
    return done
  }

  private static func write(_ bytes: Bytes, to memory: FileDescriptor) throws(CopyFailure) {
    do throws(Errno) { try memory.writeAll(bytes) } catch { throw .memory(error) }
  }

  private static func seal(_ memory: FileDescriptor, size: UInt64) throws(CopyFailure) -> UInt64 {
    do throws(Errno) {
      try memory.seal()
      return try Mapping.file(memory, offset: 0, size, .read)
    } catch {
      throw .memory(error)
    }
  }
}

extension FileStatus {
  fileprivate func checkForCopy(limit: UInt64) throws(CopyFailure) {
    guard isRegular else { throw .notRegular }
    guard size > 0 else { throw .empty }
    guard size <= limit else { throw .tooLarge }
  }
}
