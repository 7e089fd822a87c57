import CKernel

/// Where libraries are looked for, in the order of ld.so(8): DT_RPATH (without DT_RUNPATH) of the object and of
/// those that loaded it, LD_LIBRARY_PATH, DT_RUNPATH, ld.so.cache, default directories.
public final class LibrarySearch {
  private var libraryPath: [Path] = []
  private var cache: LibraryCache?
  private var cacheMapping: (UInt64, UInt64)?
  private let executableDirectory: Path
  /// $ORIGIN of the executable.
  public var origin: Path { executableDirectory }
  private let isSecure: Bool

  /// `libraryPath` is LD_LIBRARY_PATH, already empty where it must not count; an empty entry is the working
  /// directory.
  public init(libraryPath: [Path], executableDirectory: Path, isSecure: Bool) {
    self.executableDirectory = executableDirectory
    self.isSecure = isSecure
    cache = nil
    for part in libraryPath {
      let expanded: Path? = part.withBytes { expand($0, origin: executableDirectory) }
      if let expanded { self.libraryPath.append(expanded.isEmpty ? Path(".") : expanded) }
    }
    openCache()
  }

  private func openCache() {
    guard let file = try? FileDescriptor.open(Path("/etc/ld.so.cache")) else { return }
    defer { file.close() }
    guard let size = try? file.status().size, size > 0, size < 1 << 30,
      let address = try? Mapping.file(file, offset: 0, size, .read)
    else { return }
    cacheMapping = (address, size)
    cache = LibraryCache(ProcessMemory.bytes(at: address, count: size))
  }

  /// Gives the mapping of the cache back; the next search would open it again.
  public func closeCache() {
    cache = nil
    if let (address, size) = cacheMapping { Mapping.unmap(address, size) }
    cacheMapping = nil
  }

  static func defaultDirectories() -> [Path] {
    [
      Path("/lib/x86_64-linux-gnu"), Path("/usr/lib/x86_64-linux-gnu"), Path("/lib64"), Path("/usr/lib64"),
      Path("/lib"), Path("/usr/lib"),
    ]
  }

  /// Opens the library called `name` for `requester`. Candidates that are missing or of another machine are passed
  /// over as the system's loader does; a name with a slash is taken as it is.
  public func open(_ name: Bytes, for requester: LoadedObject?) throws(LoadError) -> OpenedFile {
    let asked = Path(name)
    if asked.hasSlash {
      return try OpenedFile(expand(name, origin: origin(of: requester)) ?? asked)
    }
    for directory in directoriesBeforeCache(requester) {
      if let file = candidate(directory, name) { return file }
    }
    if let found = cache?.path(of: name), let file = try? OpenedFile(Path(found)), file.isUsable { return file }
    for directory in LibrarySearch.defaultDirectories() {
      if let file = candidate(directory, name) { return file }
    }
    throw LoadError(.notFound, asked)
  }

  private func candidate(_ directory: Path, _ name: Bytes) -> OpenedFile? {
    guard let file = try? OpenedFile(directory.appending(name)) else { return nil }
    if file.isUsable { return file }
    file.close()
    return nil
  }

  private func directoriesBeforeCache(_ requester: LoadedObject?) -> [Path] {
    var result: [Path] = []
    guard let requester else { return libraryPath }
    let runpath = requester.dynamic.runpath
    if runpath == nil, let offset = requester.dynamic.rpath, let list = requester.symbols.string(at: offset) {
      result += split(list, origin: origin(of: requester))
    }
    result += libraryPath
    if let runpath, let list = requester.symbols.string(at: runpath) {
      result += split(list, origin: origin(of: requester))
    }
    return result
  }

  private func origin(of object: LoadedObject?) -> Path {
    guard let object, object.role != .executable else { return executableDirectory }
    return object.path.directory
  }

  private func split(_ list: Bytes, origin: Path) -> [Path] {
    var result: [Path] = []
    var start = 0
    if list.count == 0 { return result }
    for index in 0...list.count where index == list.count || list[index] == 58 || list[index] == 59 {
      if let part = list.slice(at: UInt64(start), count: UInt64(index - start)) {
        if part.count == 0 {
          if !isSecure { result.append(Path(".")) }
        } else if let path = expand(part, origin: origin) {
          if !isSecure || path.isAbsolute { result.append(path) }
        }
      }
      start = index + 1
    }
    return result
  }

  /// Replaces $ORIGIN, $LIB and $PLATFORM, with or without braces (ld.so(8), "Dynamic string tokens").
  func expand(_ part: Bytes, origin: Path) -> Path? {
    var text = Text()
    var index = 0
    while index < part.count {
      if part[index] == 36, let rest = part.suffix(from: UInt64(index + 1)) {
        let braced = rest[0] == 123
        let name = braced ? rest.suffix(from: 1) ?? rest : rest
        if let (length, value) = token(name, origin: origin) {
          if isSecure { return nil }
          text.append(value)
          index += 1 + length + (braced ? 2 : 0)
          continue
        }
      }
      text.append(byte: part[index])
      index += 1
    }
    return Path(text)
  }

  private func token(_ name: Bytes, origin: Path) -> (Int, [UInt8])? {
    if name.hasPrefix("ORIGIN") {
      var text = Text()
      origin.write(to: &text)
      return (6, text.bytes)
    }
    if name.hasPrefix("LIB") { return (3, Bytes("lib/x86_64-linux-gnu").copy()) }
    if name.hasPrefix("PLATFORM") { return (8, Bytes("x86_64").copy()) }
    return nil
  }
}
