import CKernel

/// Tells when files of objects have changed, however that was done: written, renamed over, a symbolic link on the
/// path switched, a directory moved away and another one put in its place.
///
/// Belongs to the thread that made it (the helper, with a descriptor table of its own). Other threads interrupt
/// `waitForBatch` through `ThreadWake`.
public final class FileWatcher {
  /// A class: changing a large value inside a dictionary takes memory from `malloc`, which the loader does not have.
  private final class Object {
    let path: Path
    var resolution: PathResolution
    var watches: [Int32]
    /// The file as the program has it.
    var seen: FileStatus?
    /// Why the path leads nowhere at the moment; told once.
    var obstacle: Errno?
    /// An event said that the file was written, whatever its status says.
    var isWritten = false
    /// Its owner, its mode or its directory's keep it from being taken.
    var heedsAttributes = false
    var retries = 0

    /// A path that can't be followed (a loop of links, a directory without permission) is worth a line. A file that
    /// is not there is about to come back, as far as anybody knows.
    func meetsNewObstacle() -> Bool {
      var found: Errno?
      do throws(Errno) { _ = try FileDescriptor.status(of: path) } catch { found = error }
      if found == .noEntry || found?.number == ENOTDIR { found = nil }
      defer { obstacle = found }
      return found != nil && found != obstacle
    }

    init(_ path: Path, _ resolution: PathResolution, _ watches: [Int32], seen: FileStatus?) {
      self.path = path
      self.resolution = resolution
      self.watches = watches
      self.seen = seen
    }
  }

  private let queue: InotifyQueue
  private let wake: FileDescriptor?
  /// Another descriptor that ends the wait when it can be read; who owns it reads it.
  var alsoWaitsFor: FileDescriptor?
  private var table: WatchTable
  private var settling: SettleQueue
  private var objects: [Int: Object] = [:]
  private var unwatched: [Int] = []
  /// Batches tell of files that may be at rest, too.
  var tellsCalm = false

  /// Events come in bulk: after a look at the queue the next one waits so long (2 ms).
  private static var pause: UInt64 { 2_000_000 }
  /// More retries without an event in between don't help.
  private static var retryLimit: Int { 10 }

  /// `wake`: a descriptor that becomes readable when the wait is to end. Throws what inotify_init1(2) gives: EMFILE
  /// with too many instances of one user.
  public init(settleMilliseconds: UInt64, wake: FileDescriptor? = nil) throws(Errno) {
    queue = try InotifyQueue()
    table = WatchTable(queue)
    settling = SettleQueue(settle: settleMilliseconds * 1_000_000)
    self.wake = wake
  }

  /// In the thread that made it.
  public func close() { queue.descriptor.close() }

  /// Watches the file that the path leads to, under a number of the caller's choice. `known`: its state when it was
  /// loaded; a difference counts as a change, so that nothing is missed in between, and so does a state that may hide
  /// one. Returns false where a symbolic link on the way lies in a directory that cannot be watched. Throws where nothing
  /// can be watched.
  @discardableResult
  public func add(
    _ path: Path, id: Int, known: FileStatus? = nil, isDoubtful: Bool = false
  ) throws(Errno) -> Bool {
    remove(id: id)
    let path = path.absolute()
    let (resolution, watches, isComplete) = try watch(path, id)
    let now = FileWatcher.status(path)
    let object = Object(path, resolution, watches, seen: known ?? now)
    objects[id] = object
    if let known, known != now || isDoubtful {
      // The event that told of it, an empty file's end among them, is past.
      object.isWritten = true
      settling.note(id, at: ClockTime.monotonic())
    }
    return isComplete
  }

  public func remove(id: Int) {
    guard let object = objects.removeValue(forKey: id) else { return }
    table.remove(object.watches, id: id)
    settling.forget(id)
  }

  /// The file could not be taken as it is now, but may be soon (it changed while it was read): it comes again in a
  /// later batch. False after too many times without a new event.
  public func postpone(id: Int) -> Bool {
    guard let object = objects[id], object.retries < FileWatcher.retryLimit else { return false }
    object.retries += 1
    object.isWritten = true
    settling.note(id, at: ClockTime.monotonic())
    return true
  }

  /// The file would be taken if somebody else owned it or others had access: from now on a change of these counts as
  /// one of the file.
  func heedAttributes(id: Int) { objects[id]?.heedsAttributes = true }

  /// The file's path without symbolic links, as far as it is known.
  public func resolvedPath(id: Int) -> Path? { objects[id]?.resolution.file?.path }

  /// Number of watched directories.
  var watchCount: Int { table.watchCount }

  /// Waits for changed objects, for the wake descriptor, or until `deadline` (nanoseconds of CLOCK_MONOTONIC).
  public func waitForBatch(until deadline: UInt64? = nil) throws(Errno) -> WatchBatch {
    var pauseEnd: UInt64 = 0
    while true {
      let now = ClockTime.monotonic()
      var batch = finish(settling.takeReady(at: now))
      if tellsCalm { batch.calm = settling.takeCalm(at: now).filter { objects[$0]?.isWritten == true } }
      if !batch.isEmpty { return batch }
      if let deadline, now >= deadline {
        // Whose next deadline is always past would never hear of a change.
        try look()
        return WatchBatch()
      }
      let isPausing = now < pauseEnd
      var end = FileWatcher.earlier(settling.deadline, deadline)
      if tellsCalm { end = FileWatcher.earlier(end, settling.calmDeadline) }
      if isPausing { end = FileWatcher.earlier(end, pauseEnd) }
      var files: [FileDescriptor] = []
      if let wake { files.append(wake) }
      if let alsoWaitsFor { files.append(alsoWaitsFor) }
      let other: UInt = alsoWaitsFor == nil ? 0 : 1 << UInt(files.count - 1)
      if !isPausing { files.append(queue.descriptor) }
      let ready = try FileDescriptor.waitForInput(files, nanoseconds: end.map { $0 > now ? $0 - now : 0 })
      if let wake, ready & 1 != 0 {
        wake.drain()
        return WatchBatch(isWoken: true)
      }
      if ready & other != 0 { return WatchBatch(isWoken: true) }
      if ready != 0 {
        try look()
        pauseEnd = ClockTime.monotonic() + FileWatcher.pause
      }
    }
  }

  private static func earlier(_ left: UInt64?, _ right: UInt64?) -> UInt64? {
    guard let left else { return right }
    guard let right else { return left }
    return min(left, right)
  }

  /// Reads the events that are there.
  private func look() throws(Errno) {
    take(table.take(try queue.read()))
  }

  /// Throws a bufferful of events away; false for none. Stands in for an overflow of the queue.
  func discardEvents() throws(Errno) -> Bool {
    var events = try queue.read()
    return events.next() != nil
  }

  func take(_ findings: WatchTable.Findings) {
    let now = ClockTime.monotonic()
    for id in findings.written {
      objects[id]?.isWritten = true
      note(id, now)
    }
    for id in findings.created { note(id, now) }
    for id in findings.attributes where objects[id]?.heedsAttributes == true {
      objects[id]?.isWritten = true
      note(id, now)
    }
    if findings.isEverything {
      for id in objects.keys.sorted() { refresh(id, now) }
    } else {
      for id in findings.moved { refresh(id, now) }
    }
  }

  private func note(_ id: Int, _ now: UInt64) {
    objects[id]?.retries = 0
    settling.note(id, at: now)
  }

  /// Resolves again, and notes the object where the path now leads to another file or another state of it.
  private func refresh(_ id: Int, _ now: UInt64) {
    guard let object = objects[id] else { return }
    watchAgain(id)
    guard let status = FileWatcher.status(object.path) else { return note(id, now) }
    if status != object.seen { note(id, now) }
  }

  /// Moves the watches to where the path leads now. The new ones are put before the old ones are taken away, so that
  /// nothing is lost in directories that stay.
  private func watchAgain(_ id: Int) {
    guard let object = objects[id] else { return }
    do throws(Errno) {
      let old = object.watches
      let (resolution, watches, _) = try watch(object.path, id)
      object.resolution = resolution
      object.watches = watches
      table.remove(old, id: id)
    } catch {
      if !unwatched.contains(id) { unwatched.append(id) }
    }
  }

  /// Resolves and watches until two looks agree: what changes between a look and its watches would go unseen.
  private func watch(
    _ path: Path, _ id: Int
  ) throws(Errno) -> (resolution: PathResolution, watches: [Int32], isComplete: Bool) {
    var resolution = PathResolution(path)
    var rounds = 0
    while true {
      var failure: Errno?
      var watches: [Int32] = []
      var isComplete = true
      do throws(Errno) { (watches, isComplete) = try table.add(resolution, id: id) } catch { failure = error }
      let again = PathResolution(path)
      rounds += 1
      if again == resolution || rounds == 8 {
        if let failure { throw failure }
        // Not at rest after 8 looks: the batch that is to come resolves again.
        if again != resolution { settling.note(id, at: ClockTime.monotonic()) }
        return (resolution, watches, isComplete)
      }
      table.remove(watches, id: id)
      resolution = again
    }
  }

  /// What of the settled objects is really there and new.
  private func finish(_ ids: [Int]) -> WatchBatch {
    var batch = WatchBatch()
    for id in ids {
      watchAgain(id)
      guard let object = objects[id] else { continue }
      guard let status = FileWatcher.status(object.path) else {
        if object.meetsNewObstacle() { batch.changed.append(id) } else if tellsCalm { batch.vanished.append(id) }
        continue
      }
      object.obstacle = nil
      // An empty file is about to be written; its end is told by IN_CLOSE_WRITE.
      if !object.isWritten && (status == object.seen || status.size == 0) { continue }
      object.seen = status
      object.isWritten = false
      object.heedsAttributes = false
      batch.changed.append(id)
    }
    batch.unwatched = unwatched
    unwatched = []
    return batch
  }

  private static func status(_ path: Path) -> FileStatus? {
    do throws(Errno) {
      return try FileDescriptor.status(of: path)
    } catch {
      return nil
    }
  }
}

/// What a wait has brought.
public struct WatchBatch: Equatable {
  /// Objects whose files have changed and settled, ascending.
  public var changed: [Int] = []
  /// Objects that can no longer be watched; told once.
  public var unwatched: [Int] = []
  /// Objects whose files were written, and to which nothing has happened for part of the settle time.
  var calm: [Int] = []
  /// Objects that have settled without a file.
  var vanished: [Int] = []
  /// The wake descriptor was the reason to return; what is settling comes later.
  public var isWoken = false

  var isEmpty: Bool { changed.isEmpty && unwatched.isEmpty && calm.isEmpty && vanished.isEmpty }
}
