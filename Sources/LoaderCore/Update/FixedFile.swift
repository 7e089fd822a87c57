/// A file that is watched but can't be replaced: the executable's or one of the host's objects'.
struct FixedFile {
  let path: Path
  let object: LoadedObject
  /// As it was when the helper started.
  let first: FileStatus?
  /// As it was told of last.
  var known: FileStatus?

  /// Larger files are not compared.
  private static var sizeLimit: UInt64 { 64 << 20 }
  private static var window: UInt64 { 64 << 10 }

  init(_ path: Path, _ object: LoadedObject) {
    (self.path, self.object) = (path, object)
    first = try? FileDescriptor.status(of: path)
    known = first
  }

  /// Another file with the content that is in memory, as when a package is installed again: what can't be written to is
  /// compared byte for byte, and the rest comes from the same link by the same build-id. The mapped file itself, if it
  /// was written to, is in memory what it is on disk, which says nothing.
  var isInstalledAgain: Bool {
    guard let now = try? FileDescriptor.status(of: path), let first, !now.isSameFile(as: first),
      now.size == first.size, let content = try? FileDescriptor.content(of: path, limit: FixedFile.sizeLimit)
    else { return false }
    return content.withUnsafeBytes { isInMemory(Bytes($0)) }
  }

  private func isInMemory(_ content: Bytes) -> Bool {
    guard let file = try? ObjectFile(content), file.buildID != nil,
      file.segments.loads.count == object.segments.loads.count
    else { return false }
    for load in file.segments.loads where !load.isWritable {
      guard let bytes = content.slice(at: load.fileOffset, count: load.fileSize), isEqual(bytes, load.address) else {
        return false
      }
    }
    return true
  }

  /// The old file may be cut, and what was mapped of it not be there any more.
  private func isEqual(_ bytes: Bytes, _ address: UInt64) -> Bool {
    var copy = [UInt8](repeating: 0, count: Int(FixedFile.window))
    var done: UInt64 = 0
    while done < UInt64(bytes.count) {
      let count = min(FixedFile.window, UInt64(bytes.count) - done)
      let start = object.bias &+ address &+ done
      let isSame = copy.withUnsafeMutableBytes { buffer in
        ForeignMemory.copy(from: start, to: buffer, count: Int(count)) == Int(count)
          && bytes.slice(at: done, count: count) == Bytes(UnsafeRawBufferPointer(buffer)).slice(at: 0, count: count)
      }
      if !isSame { return false }
      done += count
    }
    return true
  }
}

extension Updater {
  /// The watcher's number for the first of them, far above all objects.
  private static var firstFixed: Int { 1 << 24 }

  /// The executable and the C library's family stay as they are; that their files changed is told. Called when the
  /// helper starts: a change from then on counts, though the watches come later.
  func noteFixed() {
    // Started directly, the program's path is known; else the kernel has it.
    let asked = program.executablePath
    let path = asked.isEmpty ? (try? Path("/proc/self/exe").linkTarget()) ?? asked : asked
    fixed = [FixedFile(path, program.executable)] + program.hostObjects.map { FixedFile($0.path, $0) }
  }

  func watchFixed(_ watcher: FileWatcher) {
    for (index, file) in fixed.enumerated() where file.path.isAbsolute {
      // Whether it can be watched or not makes no difference to what the program runs.
      _ = try? watcher.add(file.path, id: Updater.firstFixed + index, known: file.known)
    }
  }

  /// What `__luci_update` and a helper without inotify look at themselves.
  func lookAtFixed() {
    if fixed.isEmpty {
      program.lock.lock()
      noteFixed()
      program.lock.unlock()
    }
    for index in fixed.indices {
      guard let status = try? FileDescriptor.status(of: fixed[index].path), status != fixed[index].known else {
        continue
      }
      fixed[index].known = status
      reportFixed([Updater.firstFixed + index])
    }
  }

  func reportFixed(_ ids: [Int]) {
    for id in ids where id >= Updater.firstFixed && id - Updater.firstFixed < fixed.count {
      let file = fixed[id - Updater.firstFixed]
      if file.isInstalledAgain { continue }
      let detail: StaticString =
        file.object.role == .executable
        ? "the executable can't be replaced: restart needed" : "the C library can't be replaced: restart needed"
      program.status.report(
        .incompatible, object: file.path.lastComponent, path: file.path, cause: "restart-needed", detail: Text(detail)
      )
    }
  }
}
