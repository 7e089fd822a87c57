/// dlinfo(3): RTLD_DI_SERINFO and RTLD_DI_SERINFOSIZE, where an object's dependencies are looked for.
///
/// A Dl_serinfo (<dlfcn.h>) is dls_size (8 bytes), dls_cnt (4, and 4 of padding), then for each directory a pointer to
/// its name and its flags (8 + 8); names lie behind. As in glibc, flags are 0 and ld.so.cache does not show.
struct SearchInfo {
  private static var headerSize: UInt64 { 16 }
  private static var entrySize: UInt64 { 16 }

  let directories: [Path]

  init(_ search: LibrarySearch, for object: LoadedObject) {
    directories = search.directories(for: object).map { SearchInfo.shown($0) }
  }

  /// Without a slash at the end.
  private static func shown(_ path: Path) -> Path {
    path.withBytes { bytes in
      var count = bytes.count
      while count > 1, bytes[count - 1] == 47 { count -= 1 }
      return count == 0 ? Path(".") : bytes.slice(at: 0, count: UInt64(count)).map { Path($0) } ?? path
    }
  }

  /// What a program has to provide: all names with their ends, and the entries. At least two bytes for each name, as in
  /// glibc.
  private var size: UInt64 {
    directories.reduce(SearchInfo.headerSize) { $0 + SearchInfo.entrySize + UInt64(max($1.count + 1, 2)) }
  }

  func writeSize(to result: UInt64) {
    ProcessMemory.store(size, at: result)
    ProcessMemory.store(UInt32(truncatingIfNeeded: directories.count), at: result + 8)
  }

  /// Fills a structure whose size and count are those of an earlier `writeSize`; false: it is too small by now.
  func write(to result: UInt64) -> Bool {
    guard ProcessMemory.load(UInt64.self, at: result) >= size,
      ProcessMemory.load(UInt32.self, at: result + 8) >= UInt32(truncatingIfNeeded: directories.count)
    else { return false }
    var entry = result + SearchInfo.headerSize
    var name = entry + UInt64(directories.count) * SearchInfo.entrySize
    for directory in directories {
      ProcessMemory.store(name, at: entry)
      ProcessMemory.store(UInt64(0), at: entry + 8)
      entry += SearchInfo.entrySize
      let target = name
      directory.withCString { source in
        ProcessMemory.copy(
          from: UInt64(UInt(bitPattern: source)), to: target, count: UInt64(directory.count) + 1)
      }
      name += UInt64(directory.count) + 1
    }
    writeSize(to: result)
    return true
  }
}

extension LibrarySearch {
  /// All directories in which what `object` needs is looked for, in order.
  func directories(for object: LoadedObject) -> [Path] {
    directoriesBeforeCache(object) + (object.dynamic.avoidsDefaultDirectories ? [] : defaultDirectories)
  }
}
