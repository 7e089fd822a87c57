import Testing

@testable import LoaderCore

/// The kernel queues events, so changes are made first and waited for then: no second thread is needed.
@Suite struct FileWatcherTests {
  let directory = TemporaryDirectory()
  let watcher: FileWatcher

  init() throws { watcher = try FileWatcher(settleMilliseconds: 5) }

  func changed(within milliseconds: UInt64 = 5_000) throws -> [Int] {
    try watcher.waitForBatch(until: ClockTime.monotonic() + milliseconds * 1_000_000).changed
  }

  /// Nothing comes, neither now nor after the settle time.
  func expectQuiet(_ location: SourceLocation = #_sourceLocation) throws {
    #expect(try changed(within: 60).isEmpty, sourceLocation: location)
  }

  @Test func overwritten() throws {
    directory.write("lib.so", "1")
    try watcher.add(directory.path("lib.so"), id: 7)
    try expectQuiet()
    directory.write("lib.so", "2")
    #expect(try changed() == [7])
    try expectQuiet()
    directory.write("lib.so", "3")
    #expect(try changed() == [7])
  }

  @Test func renamedOverSeveralTimes() throws {
    directory.write("lib.so", "1")
    try watcher.add(directory.path("lib.so"), id: 1)
    for round in 0..<5 {
      directory.write("lib.so.dpkg-new", "\(round)")
      directory.rename("lib.so.dpkg-new", "lib.so")
      #expect(try changed() == [1])
    }
  }

  @Test func hardLinkedAndRemoved() throws {
    directory.write("lib.so", "1")
    directory.write("other", "2")
    try watcher.add(directory.path("lib.so"), id: 1)
    directory.remove("lib.so")
    try expectQuiet()
    directory.hardLink("other", "lib.so")
    #expect(try changed() == [1])
  }

  @Test func foreignFilesAreIgnored() throws {
    directory.write("lib.so", "1")
    try watcher.add(directory.path("lib.so"), id: 1)
    directory.write("lib.so.1", "x")
    directory.write("lib.so.dpkg-new", "x")
    directory.write("lib.so.dpkg-tmp", "x")
    directory.rename("lib.so.1", "lib.s")
    try expectQuiet()
  }

  @Test func filesThatChangeTogetherAreOneBatch() throws {
    let slow = try FileWatcher(settleMilliseconds: 100)
    for id in 0..<3 {
      directory.write("lib\(id).so", "1")
      try slow.add(directory.path("lib\(id).so"), id: id)
    }
    let start = ClockTime.monotonic()
    for id in 0..<3 { directory.write("lib\(id).so", "2") }
    #expect(try slow.waitForBatch(until: start + 5_000_000_000).changed == [0, 1, 2])
    #expect(ClockTime.monotonic() - start >= 100_000_000)
  }

  /// Who always has something else to do asks with a deadline that is past.
  @Test func changeIsSeenWithoutTimeToWait() throws {
    directory.write("lib.so", "1")
    try watcher.add(directory.path("lib.so"), id: 1)
    directory.write("lib.so", "2")
    let end = ClockTime.monotonic() + 5_000_000_000
    var found: [Int] = []
    while found.isEmpty, ClockTime.monotonic() < end { found = try watcher.waitForBatch(until: 0).changed }
    #expect(found == [1])
  }

  /// A file that may be at rest is told before it has settled; one that is gone by then, too.
  @Test func calmAndVanishedFiles() throws {
    let slow = try FileWatcher(settleMilliseconds: 200)
    slow.tellsCalm = true
    for name in ["a.so", "b.so", "c.so"] { directory.write(name, "1") }
    for (id, name) in ["a.so", "b.so", "c.so"].enumerated() { try slow.add(directory.path(name), id: id) }
    directory.write("a.so", "2")
    directory.write("b.so", "2")
    // Made, not written: it may be about to be.
    directory.remove("c.so")
    directory.hardLink("a.so", "c.so")
    let end = ClockTime.monotonic() + 5_000_000_000
    #expect(try slow.waitForBatch(until: end).calm == [0, 1])
    directory.remove("b.so")
    let batch = try slow.waitForBatch(until: end)
    #expect(batch.changed == [0, 2])
    #expect(batch.vanished == [1])
    #expect(batch.calm.isEmpty)
  }

  @Test func linkSwitchedInTheMiddleOfThePath() throws {
    for version in ["1", "2"] {
      directory.makeDirectory("v\(version)")
      directory.makeDirectory("v\(version)/lib")
      directory.write("v\(version)/lib/lib.so", version)
    }
    directory.link("current", to: "v1")
    try watcher.add(directory.path("current/lib/lib.so"), id: 1)
    #expect(watcher.resolvedPath(id: 1) == directory.path("v1/lib/lib.so"))
    directory.link("next", to: "v2")
    directory.rename("next", "current")
    #expect(try changed() == [1])
    #expect(watcher.resolvedPath(id: 1) == directory.path("v2/lib/lib.so"))
    // The watches have moved as well.
    directory.write("v1/lib/lib.so", "old")
    try expectQuiet()
    directory.write("v2/lib/lib.so", "new")
    #expect(try changed() == [1])
    directory.remove("current")
    directory.link("current", to: "v1")
    #expect(try changed() == [1])
  }

  @Test func chainOfLinksAtTheEnd() throws {
    directory.makeDirectory("a")
    directory.makeDirectory("b")
    directory.write("b/lib.so.1.2", "1")
    directory.write("b/lib.so.1.3", "2")
    directory.link("a/lib.so", to: "../b/./lib.so.1")
    directory.link("b/lib.so.1", to: "lib.so.1.2")
    try watcher.add(directory.path("a/lib.so"), id: 1)
    directory.link("b/tmp", to: "lib.so.1.3")
    directory.rename("b/tmp", "b/lib.so.1")
    #expect(try changed() == [1])
    directory.write("b/lib.so.1.3", "3")
    #expect(try changed() == [1])
    directory.write("a/new.so", "4")
    directory.rename("a/new.so", "a/lib.so")
    #expect(try changed() == [1])
    #expect(watcher.resolvedPath(id: 1) == directory.path("a/lib.so"))
  }

  @Test func directoryRemovedAndRecreated() throws {
    directory.makeDirectory("x")
    directory.makeDirectory("x/y")
    directory.write("x/y/lib.so", "1")
    try watcher.add(directory.path("x/y/lib.so"), id: 1)
    for step in ["x/y/lib.so", "x/y", "x"] { directory.remove(step) }
    try expectQuiet()
    directory.makeDirectory("x")
    try expectQuiet()
    directory.makeDirectory("x/y")
    directory.write("x/y/lib.so", "2")
    #expect(try changed() == [1])
    // All at once, with nobody looking in between.
    for step in ["x/y/lib.so", "x/y", "x"] { directory.remove(step) }
    directory.makeDirectory("x")
    directory.makeDirectory("x/y")
    directory.write("x/y/lib.so", "3")
    #expect(try changed() == [1])
    directory.write("x/y/lib.so", "4")
    #expect(try changed() == [1])
  }

  /// Deployment by renaming: the ancestor moves, the library's own directory sees nothing of it.
  @Test func ancestorRenamed() throws {
    for name in ["app", "new"] {
      directory.makeDirectory(name)
      directory.makeDirectory("\(name)/lib")
      directory.write("\(name)/lib/lib.so", name)
    }
    try watcher.add(directory.path("app/lib/lib.so"), id: 1)
    directory.rename("app", "old")
    directory.rename("new", "app")
    #expect(try changed() == [1])
    directory.write("old/lib/lib.so", "x")
    try expectQuiet()
  }

  @Test func linkLoops() throws {
    directory.write("real", "1")
    directory.link("lib.so", to: "real")
    try watcher.add(directory.path("lib.so"), id: 1)
    directory.link("loop", to: "lib.so")
    directory.rename("loop", "lib.so")
    // Told once: whoever opens it learns why.
    #expect(try changed() == [1])
    try expectQuiet()
    #expect(watcher.resolvedPath(id: 1) == nil)
    directory.write("fresh", "2")
    directory.rename("fresh", "lib.so")
    #expect(try changed() == [1])
  }

  @Test func fileInPlaceOfADirectory() throws {
    directory.makeDirectory("x")
    directory.write("x/lib.so", "1")
    try watcher.add(directory.path("x/lib.so"), id: 1)
    directory.remove("x/lib.so")
    directory.remove("x")
    directory.write("x", "file")
    try expectQuiet()
    directory.remove("x")
    directory.makeDirectory("x")
    directory.write("x/lib.so", "2")
    #expect(try changed() == [1])
  }

  @Test func changedBetweenLoadingAndWatching() throws {
    directory.write("lib.so", "1")
    let known = try FileDescriptor.status(of: directory.path("lib.so"))
    directory.write("lib.so", "22")
    try watcher.add(directory.path("lib.so"), id: 1, known: known)
    #expect(try changed() == [1])
  }

  @Test func missingFileIsTakenWhenItComes() throws {
    try watcher.add(directory.path("a/b/lib.so"), id: 1)
    directory.makeDirectory("a")
    directory.makeDirectory("a/b")
    directory.write("a/b/lib.so", "1")
    #expect(try changed() == [1])
  }

  /// As after IN_Q_OVERFLOW: only what differs is looked at.
  @Test func overflow() throws {
    for id in 1...3 {
      directory.write("lib\(id).so", "1")
      try watcher.add(directory.path("lib\(id).so"), id: id)
    }
    directory.write("lib2.so", "other")
    // Events of the directory are lost.
    while try watcher.discardEvents() {}
    var findings = WatchTable.Findings()
    findings.isEverything = true
    watcher.take(findings)
    #expect(try changed() == [2])
  }

  /// More events than the kernel's queue holds (fs.inotify.max_queued_events); equal ones in a row would be merged.
  @Test func tenThousandEvents() throws {
    directory.write("lib.so", "1")
    try watcher.add(directory.path("lib.so"), id: 1)
    for round in 0..<20_000 { directory.write("noise\(round & 1)", "") }
    directory.write("lib.so", "2")
    #expect(try changed() == [1])
    directory.write("lib.so", "3")
    #expect(try changed() == [1])
  }

  @Test func watchesAreSharedAndGivenUp() throws {
    for id in 0..<50 { directory.write("lib\(id).so", "1") }
    for id in 0..<50 { try watcher.add(directory.path("lib\(id).so"), id: id) }
    // "/tmp" for its own removal, and the directory.
    #expect(watcher.watchCount == 2)
    for _ in 0..<20 {
      directory.write("lib3.so", "2")
      #expect(try changed() == [3])
    }
    #expect(watcher.watchCount == 2)
    for id in 0..<50 { watcher.remove(id: id) }
    #expect(watcher.watchCount == 0)
    directory.write("lib3.so", "3")
    try expectQuiet()
  }

  @Test func postponedComesAgainButNotForEver() throws {
    directory.write("lib.so", "1")
    try watcher.add(directory.path("lib.so"), id: 1)
    directory.write("lib.so", "2")
    #expect(try changed() == [1])
    var rounds = 0
    while watcher.postpone(id: 1) {
      #expect(try changed() == [1])
      rounds += 1
    }
    #expect(rounds == 10)
    directory.write("lib.so", "3")
    #expect(try changed() == [1])
    #expect(watcher.postpone(id: 1))
    #expect(!watcher.postpone(id: 99))
  }

  @Test func wokenByAnotherThread() throws {
    let mask = Signal.block(0)
    defer { Signal.restore(mask) }
    let wake = try ThreadWake()
    defer { wake.descriptor.close() }
    let watcher = try FileWatcher(settleMilliseconds: 5, wake: wake.descriptor)
    try ThreadWake.wake(thread: CurrentThread.id)
    #expect(try watcher.waitForBatch() == WatchBatch(isWoken: true))
    #expect(try watcher.waitForBatch(until: ClockTime.monotonic() + 20_000_000) == WatchBatch())
    #expect(throws: Errno.self) { try ThreadWake.wake(thread: Int32.max) }
    watcher.close()
  }
}

@Suite struct InotifyEventTests {
  private func event(_ watch: Int32, _ mask: UInt32, _ length: UInt32, _ name: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for word in [UInt32(bitPattern: watch), mask, 0, length] {
      withUnsafeBytes(of: word.littleEndian) { bytes += $0 }
    }
    return bytes + Array(name.utf8)
  }

  @Test func eventsOfABuffer() {
    let bytes = event(1, 8, 8, "a.so\0\0\0\0") + event(-1, 0x4000, 0, "") + event(2, 0x80, 4, "abcd")
    bytes.withUnsafeBytes { buffer in
      var events = InotifyEvents(Bytes(buffer))
      let first = events.next()
      #expect(first?.watch == 1 && first?.mask == 8 && first?.name == Bytes("a.so"))
      let second = events.next()
      #expect(second?.watch == -1 && second?.has(0x4000) == true && second?.name.count == 0)
      #expect(events.next()?.name == Bytes("abcd"))
      #expect(events.next() == nil)
    }
  }

  @Test func malformedLengthsEndTheBuffer() {
    for bytes in [event(1, 8, 9, "12345678"), event(1, 8, UInt32.max, ""), Array(event(1, 8, 0, "").dropLast()), []] {
      bytes.withUnsafeBytes { buffer in
        var events = InotifyEvents(Bytes(buffer))
        #expect(events.next() == nil)
      }
    }
  }
}
