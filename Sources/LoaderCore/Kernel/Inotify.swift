import CKernel

/// An event of inotify(7). The name lies in the queue's buffer, valid until the next read.
struct InotifyEvent {
  /// The watch; -1 for an overflow of the queue.
  let watch: Int32
  let mask: UInt32
  /// The entry in the watched directory; empty for events of the directory itself.
  let name: Bytes

  func has(_ bits: UInt32) -> Bool { mask & bits != 0 }
}

/// The events in a run of bytes, as read(2) gives them.
struct InotifyEvents {
  private var rest: Bytes

  init(_ bytes: Bytes) { rest = bytes }

  /// struct inotify_event: wd, mask, cookie, len, then len bytes of a name padded with NULs.
  mutating func next() -> InotifyEvent? {
    guard let watch = rest.load(Int32.self, at: 0), let mask = rest.load(UInt32.self, at: 4),
      let length = rest.load(UInt32.self, at: 12), let name = rest.slice(at: 16, count: UInt64(length)),
      let following = rest.suffix(from: 16 + UInt64(length))
    else { return nil }
    rest = following
    return InotifyEvent(watch: watch, mask: mask, name: name.cString(at: 0) ?? name)
  }
}

/// An inotify instance with a buffer of its own. Belongs to one thread.
final class InotifyQueue {
  let descriptor: FileDescriptor
  private let buffer: UInt64

  /// Room for some thousand events; names are short.
  private static var bufferSize: UInt64 { 64 << 10 }

  /// EMFILE: the user has as many instances as fs.inotify.max_user_instances allows.
  init() throws(Errno) {
    descriptor = FileDescriptor(
      Int32(try check(luci_syscall1(Int(__NR_inotify_init1), Int(O_CLOEXEC | O_NONBLOCK)))))
    do throws(Errno) {
      buffer = try Mapping.anonymous(InotifyQueue.bufferSize, .readWrite)
    } catch {
      descriptor.close()
      throw error
    }
  }

  deinit { Mapping.unmap(buffer, InotifyQueue.bufferSize) }

  /// Watches a directory, beside what is watched there already. ENOSPC: fs.inotify.max_user_watches.
  func add(_ directory: Path, mask: UInt32) throws(Errno) -> Int32 {
    let mask = mask | UInt32(IN_ONLYDIR) | UInt32(IN_MASK_ADD) | UInt32(IN_EXCL_UNLINK)
    let result = try directory.withCString { (name) throws(Errno) -> Int in
      try check(luci_syscall3(Int(__NR_inotify_add_watch), Int(descriptor.number), name, Int(mask)))
    }
    return Int32(result)
  }

  /// A watch that the kernel has already given up is no error.
  func remove(_ watch: Int32) {
    _ = luci_syscall2(Int(__NR_inotify_rm_watch), Int(descriptor.number), Int(watch))
  }

  /// What is there, without waiting; nothing is not an error.
  func read() throws(Errno) -> InotifyEvents {
    do throws(Errno) {
      let room = UnsafeMutableRawBufferPointer(
        start: UnsafeMutableRawPointer(bitPattern: UInt(buffer)), count: Int(InotifyQueue.bufferSize))
      let count = try descriptor.read(into: room)
      return InotifyEvents(Bytes(UnsafeRawBufferPointer(rebasing: room[0..<count])))
    } catch {
      if error == .again { return InotifyEvents(.empty) }
      throw error
    }
  }
}
