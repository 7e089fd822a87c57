import CKernel

/// Which directory entries matter to which object: one inotify watch for a directory, shared by all objects.
struct WatchTable {
  enum Kind {
    /// The object's file.
    case file
    /// A symbolic link or a missing directory: the path may lead elsewhere now.
    case way
    /// The directory itself: it may be moved or removed.
    case directory
  }

  struct Interest {
    let id: Int
    let kind: Kind
    let name: Path
    let nameHash: UInt64
  }

  struct Findings {
    var written: [Int] = []
    /// Created only: perhaps still empty.
    var created: [Int] = []
    /// Owner or mode of the file, or of its directory, are others; or its times, or its number of links.
    var attributes: [Int] = []
    /// To be resolved again.
    var moved: [Int] = []
    /// The queue has overflowed.
    var isEverything = false
  }

  private let queue: InotifyQueue
  private var interests: [Int32: [Interest]] = [:]

  private static var ofItself: UInt32 { UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) }
  private static var ofWay: UInt32 { UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | ofItself }
  private static var ofFile: UInt32 { UInt32(IN_CLOSE_WRITE) | UInt32(IN_ATTRIB) | ofWay }

  init(_ queue: InotifyQueue) { self.queue = queue }

  var watchCount: Int { interests.count }

  /// Puts watches for everything that the resolution has. Throws where the place of the file itself (or of what is
  /// missing) cannot be watched. Returns the watches, and whether all other places could be watched.
  mutating func add(_ resolution: PathResolution, id: Int) throws(Errno) -> (watches: [Int32], isComplete: Bool) {
    var watches: [Int32] = []
    var isComplete = true
    do throws(Errno) {
      if let file = resolution.file { watches.append(try add(file, .file, id)) }
      if let obstacle = resolution.obstacle { watches.append(try add(obstacle, .way, id)) }
    } catch {
      remove(watches, id: id)
      throw error
    }
    for link in resolution.links {
      do throws(Errno) { watches.append(try add(link, .way, id)) } catch { isComplete = false }
    }
    for directory in resolution.directories where directory.count > 1 {
      // One that may be passed, but not read, cannot be watched. Its own removal goes unseen then.
      let entry = PathResolution.Entry(directory: directory, name: Path(""))
      do throws(Errno) { watches.append(try add(entry, .directory, id)) } catch {}
    }
    return (watches, isComplete)
  }

  private mutating func add(_ entry: PathResolution.Entry, _ kind: Kind, _ id: Int) throws(Errno) -> Int32 {
    let mask =
      switch kind {
      case .file: WatchTable.ofFile
      case .way: WatchTable.ofWay
      case .directory: WatchTable.ofItself
      }
    let watch = try queue.add(entry.directory, mask: mask)
    let hash = entry.name.withBytes { FNV1a.hash($0) }
    interests[watch, default: []].append(Interest(id: id, kind: kind, name: entry.name, nameHash: hash))
    return watch
  }

  /// Takes away one interest of the object for each time a watch is in the list; a watch without interests is given
  /// up.
  mutating func remove(_ watches: [Int32], id: Int) {
    for watch in watches {
      // The older ones come first; what was added for a new resolution stays.
      guard var list = interests[watch], let index = list.firstIndex(where: { $0.id == id }) else { continue }
      list.remove(at: index)
      if list.isEmpty {
        interests[watch] = nil
        queue.remove(watch)
      } else {
        interests[watch] = list
      }
    }
  }

  /// Sorts events by what they mean. Entries that concern no object are passed over.
  mutating func take(_ events: InotifyEvents) -> Findings {
    var findings = Findings()
    var events = events
    while let event = events.next() {
      if event.has(UInt32(IN_Q_OVERFLOW)) { findings.isEverything = true }
      guard let list = interests[event.watch] else { continue }
      if event.has(WatchTable.ofItself | UInt32(IN_UNMOUNT) | UInt32(IN_IGNORED)) {
        for interest in list { findings.moved.appendOnce(interest.id) }
        if event.has(UInt32(IN_IGNORED)) { interests[event.watch] = nil }
      } else if event.has(UInt32(IN_ATTRIB)), event.name.count == 0 {
        for interest in list where interest.kind == .file { findings.attributes.appendOnce(interest.id) }
      } else if !WatchTable.isTemporary(event.name) {
        WatchTable.sort(event, list, into: &findings)
      }
    }
    return findings
  }

  private static func sort(_ event: InotifyEvent, _ list: [Interest], into findings: inout Findings) {
    let hash = FNV1a.hash(event.name)
    for interest in list where interest.nameHash == hash && interest.name.withBytes({ $0 == event.name }) {
      switch interest.kind {
      case .directory: break
      case .way: if !event.has(UInt32(IN_ATTRIB)) { findings.moved.appendOnce(interest.id) }
      case .file:
        if event.has(UInt32(IN_ATTRIB)) {
          findings.attributes.appendOnce(interest.id)
          break
        }
        if event.has(UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO)) {
          findings.written.appendOnce(interest.id)
        } else {
          findings.created.appendOnce(interest.id)
        }
        // It may be a symbolic link from now on.
        if !event.has(UInt32(IN_CLOSE_WRITE)) { findings.moved.appendOnce(interest.id) }
      }
    }
  }

  /// What dpkg writes before it renames.
  static func isTemporary(_ name: Bytes) -> Bool { name.hasSuffix(".dpkg-new") || name.hasSuffix(".dpkg-tmp") }
}

extension Array where Element == Int {
  fileprivate mutating func appendOnce(_ value: Int) {
    if last != value && !contains(value) { append(value) }
  }
}
