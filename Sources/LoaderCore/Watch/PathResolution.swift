import CKernel

/// How a path leads to a file: every symbolic link on the way, and the directories that are really walked.
///
/// Done step by step with readlink(2), since what must be watched is the directory of each link, not only where the
/// path ends.
struct PathResolution: Equatable {
  struct Entry: Equatable {
    let directory: Path
    let name: Path
    var path: Path { directory.appending(name) }
  }

  /// Symbolic links, in the order in which they are followed.
  private(set) var links: [Entry] = []
  /// Directories without links in them, from the root on.
  private(set) var directories: [Path] = []
  /// The last entry, which need not exist.
  private(set) var file: Entry?
  /// Where the way ends before: a directory that is missing or cannot be entered, or the link at which it was given
  /// up.
  private(set) var obstacle: Entry?

  /// As many links as the kernel follows (MAXSYMLINKS).
  static var linkLimit: Int { 40 }

  /// `path` must be absolute.
  init(_ path: Path) {
    var rest = PathResolution.components(path)
    var current = Path("/")
    while let name = rest.popLast() {
      if name.isParent {
        current = current.directory
        continue
      }
      note(current)
      let entry = Entry(directory: current, name: name)
      do throws(Errno) {
        let target = try entry.path.linkTarget()
        links.append(entry)
        guard links.count <= PathResolution.linkLimit else {
          obstacle = entry
          return
        }
        if target.isAbsolute { current = Path("/") }
        rest.append(contentsOf: PathResolution.components(target))
      } catch {
        if error.number == ENOTDIR {
          obstacle = Entry(directory: current.directory, name: current.lastComponent)
        } else if rest.isEmpty {
          file = entry
        } else if error == .invalid {
          // Not a link: a directory, or a file, which the next step tells by ENOTDIR.
          current = entry.path
          continue
        } else {
          obstacle = entry
        }
        return
      }
    }
  }

  private mutating func note(_ directory: Path) {
    if directories.last != directory && !directories.contains(directory) { directories.append(directory) }
  }

  /// Last one first; without empty ones and ".".
  private static func components(_ path: Path) -> [Path] {
    var parts = path.withBytes { $0.parts((47, 47), keepingEmpty: false) }
    parts.removeAll { $0.isSelf }
    parts.reverse()
    return parts
  }
}

extension Path {
  fileprivate var isSelf: Bool { withBytes { $0 == Bytes(".") } }
  fileprivate var isParent: Bool { withBytes { $0 == Bytes("..") } }
}
