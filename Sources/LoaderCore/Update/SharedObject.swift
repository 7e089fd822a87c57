/// One shared object by identity, the path that the program asked for, with all its versions that are mapped.
public final class SharedObject {
  /// Index in the updater's list, and the watcher's name for it.
  public let id: Int
  public let name: Path
  public let path: Path
  /// In order of mapping. The first is the home of all state that it has.
  public private(set) var versions: [LoadedObject]
  public private(set) var current: LoadedObject
  /// The file as `__luci_update` last saw it, taken or not.
  var seen: SeenFile
  /// Looked at although nothing tells of a change: what is the same is not worth a line.
  var isDoubted = false
  /// What was current before.
  private(set) var previous: LoadedObject?

  /// What was told last of a file that was not taken.
  struct Refusal: Equatable {
    let file: FileStatus?
    let event: StatusEvent
    let detail: [UInt8]
  }
  var refusal: Refusal?
  /// While its file settles; the helper's.
  var foresight: Foresight?

  /// `time`: when it was loaded, or a second later at most (CLOCK_REALTIME).
  init(id: Int, _ first: LoadedObject, at time: ClockTime) {
    self.id = id
    name = first.name.withUnsafeBytes { Path(Bytes($0)) }
    path = first.path
    versions = [first]
    current = first
    seen = SeenFile(first.status, at: time, delay: SharedObject.loadTime)
    first.identity = self
  }

  private static var loadTime: UInt64 { 1_000_000_000 }

  /// Closed by dlclose: nothing to update until it is opened again.
  public private(set) var isGone = false

  func forget() {
    isGone = true
    for version in versions { version.identity = nil }
    versions = [current]
    previous = nil
  }

  /// The same path was opened again.
  func revive(_ first: LoadedObject, at time: ClockTime) {
    isGone = false
    previous = nil
    versions = [first]
    current = first
    seen = SeenFile(first.status, at: time, delay: SharedObject.loadTime)
    first.identity = self
  }

  public func adopt(_ version: LoadedObject) {
    version.identity = self
    refusal = nil
    // Handles may have been given out and taken back since the version was prepared.
    let openCount = current.openCount
    current.openCount = 0
    version.openCount = openCount
    version.isOpened = current.isOpened
    version.isPinned = version.isPinned || current.isPinned
    if !versions.contains(where: { $0 === version }) { versions.append(version) }
    for other in versions where other !== version { other.binary = nil }
    previous = current
    current = version
  }

  /// A version that is mapped already, came from the same bytes and is bound to the same state: going back is an
  /// update to it. `ownsState`: the predecessor has none.
  public func version(with content: Bytes, ownsState: Bool) -> LoadedObject? {
    versions.first { $0.fileContent == content && (ownsState || $0.stateOwner === current.stateOwner) }
  }
}
