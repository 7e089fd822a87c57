import CKernel

/// Where libraries are looked for, in the order of ld.so(8): DT_RPATH (without DT_RUNPATH) of the object and of
/// those that loaded it, LD_LIBRARY_PATH, DT_RUNPATH, LD_LIBRARY_CONF, ld.so.cache, default directories. Before each directory come
/// its subdirectories for this processor (glibc-hwcaps).
public final class LibrarySearch {
  private var libraryPath: [Path] = []
  /// Directories of LD_LIBRARY_CONF.
  public var configured: [Path] = []
  private var cache: LibraryCache?
  private var cacheMapping: (UInt64, UInt64)?
  /// Not for musl, whose loader has no cache.
  private var usesCache = true
  private let executableDirectory: Path
  /// $ORIGIN of the executable.
  public var origin: Path { executableDirectory }
  private let isSecure: Bool
  private(set) var defaultDirectories: [Path]
  /// `--inhibit-rpath`: paths of objects whose DT_RPATH and DT_RUNPATH do not count; an empty one is the executable.
  public var withoutRunpath: [Path] = []
  private var hardware = HardwareDirectories()
  /// Tells each step (LD_DEBUG=libs).
  public var trace: DebugTrace?

  /// `libraryPath` is LD_LIBRARY_PATH, already empty where it must not count; an empty entry is the working
  /// directory.
  public init(libraryPath: [Path], executableDirectory: Path, isSecure: Bool) {
    self.executableDirectory = executableDirectory
    self.isSecure = isSecure
    defaultDirectories = LibrarySearch.defaultDirectories()
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

  /// From now on as musl's loader does: what ld.so.cache and glibc's directories have was built for another C
  /// library. The list of directories lies beside the loader's own directory, in etc (musl's dynlink.c).
  public func useDirectoriesOfMusl(loader: Path) {
    closeCache()
    usesCache = false
    configured = []
    hardware.isUsed = false
    let list = loader.directory.directory.appending(Bytes("etc/ld-musl-x86_64.path"))
    if let content = try? FileDescriptor.content(of: list, limit: 64 << 10) {
      defaultDirectories = content.withUnsafeBytes { Bytes($0).parts((58, 10), keepingEmpty: false) }
    } else {
      defaultDirectories = [Path("/lib"), Path("/usr/local/lib"), Path("/usr/lib")]
    }
  }

  /// Opens the library called `name` for `requester`. Candidates that are missing or of another machine are passed
  /// over as the system's loader does; a name with a slash is taken as it is.
  public func open(_ name: Bytes, for requester: LoadedObject?) throws(LoadError) -> OpenedFile {
    let asked = Path(name)
    if asked.hasSlash {
      return try OpenedFile(expand(name, origin: origin(of: requester)) ?? asked)
    }
    trace?.find(name)
    for directory in directoriesBeforeCache(requester) {
      if let file = candidate(directory, name) { return file }
    }
    // Closed after start-up and after each dlopen: ldconfig may have made a new one.
    if usesCache, cache == nil { openCache() }
    let usesDefaults = !(requester?.dynamic.avoidsDefaultDirectories ?? false)
    if cache != nil { trace?.line(.libraries, " search cache=/etc/ld.so.cache") }
    if let found = cache?.path(of: name, hardware: { hardware.names }).map({ Path($0) }),
      usesDefaults || !isInDefaultDirectory(found)
    {
      trace?.trying(found)
      if let file = try? OpenedFile(found), file.isUsable { return file }
    }
    if usesDefaults {
      for directory in defaultDirectories {
        if let file = candidate(directory, name) { return file }
      }
    }
    throw LoadError(.notFound, asked)
  }

  private func candidate(_ directory: Path, _ name: Bytes) -> OpenedFile? {
    for subdirectory in hardware.subdirectories(of: directory) {
      if let file = usable(subdirectory.appending(name)) { return file }
    }
    return usable(directory.appending(name))
  }

  private func usable(_ path: Path) -> OpenedFile? {
    trace?.trying(path)
    guard let file = try? OpenedFile(path) else { return nil }
    if file.isUsable { return file }
    file.close()
    return nil
  }

  func isDefault(_ directory: Path) -> Bool { defaultDirectories.contains(directory) }

  private func isInDefaultDirectory(_ path: Path) -> Bool {
    let directory = path.directory
    return defaultDirectories.contains { $0 == directory || directory.directory.directory == $0 }
  }

  public func directoriesBeforeCache(_ requester: LoadedObject?) -> [Path] {
    var result: [Path] = []
    guard let requester else { return libraryPath + configured }
    let own = runpath(of: requester)
    if own == nil { result += rpathChain(of: requester) }
    result += libraryPath
    if let own { result += own }
    return result + configured
  }

  /// DT_RPATH of an object and of those that loaded it; where DT_RUNPATH stands beside it, it does not count.
  public func rpathChain(of object: LoadedObject) -> [Path] { (rpath(of: object) ?? []) + object.inheritedRPath }

  private func rpath(of object: LoadedObject) -> [Path]? {
    guard object.dynamic.runpath == nil, let offset = object.dynamic.rpath else { return nil }
    return list(at: offset, of: object)
  }

  private func runpath(of object: LoadedObject) -> [Path]? {
    object.dynamic.runpath.flatMap { list(at: $0, of: object) }
  }

  private func list(at offset: UInt64, of object: LoadedObject) -> [Path]? {
    if withoutRunpath.contains(object.path) { return [] }
    return object.symbols.string(at: offset).map { split($0, origin: origin(of: object)) }
  }

  private func origin(of object: LoadedObject?) -> Path {
    guard let object, object.role != .executable else { return executableDirectory }
    return object.path.directory
  }

  private func split(_ list: Bytes, origin: Path) -> [Path] {
    var result: [Path] = []
    if list.count == 0 { return result }
    for part in list.parts((58, 58), keepingEmpty: true) {
      if part.isEmpty {
        if !isSecure { result.append(Path(".")) }
      } else if let path = part.withBytes({ expand($0, origin: origin) }), !isSecure || path.isAbsolute {
        result.append(path)
      }
    }
    return result
  }

  /// Replaces $ORIGIN, $LIB and $PLATFORM, with or without braces (ld.so(8), "Dynamic string tokens"). A
  /// set-user-ID program gets no $ORIGIN: whoever can make a link to it would choose its libraries.
  func expand(_ part: Bytes, origin: Path) -> Path? {
    var text = Text()
    var index = 0
    while index < part.count {
      if part[index] == 36, let rest = part.suffix(from: UInt64(index + 1)) {
        let braced = rest.count > 0 && rest[0] == 123
        let name = braced ? rest.suffix(from: 1) ?? rest : rest
        if let (length, value) = token(name, origin: origin, braced) {
          if isSecure, length == 6 { return nil }
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

  /// A token ends with its brace, or before whatever can't go on a name.
  private func token(_ name: Bytes, origin: Path, _ braced: Bool) -> (Int, [UInt8])? {
    func isToken(_ word: StaticString) -> Bool {
      guard name.hasPrefix(word) else { return false }
      let end = word.utf8CodeUnitCount
      if braced { return end < name.count && name[end] == 125 }
      guard end < name.count else { return true }
      let next = name[end]
      return !((65...90).contains(next) || (97...122).contains(next) || (48...57).contains(next) || next == 95)
    }
    if isToken("ORIGIN") {
      var text = Text()
      origin.write(to: &text)
      return (6, text.bytes)
    }
    if isToken("LIB") { return (3, Bytes("lib/x86_64-linux-gnu").copy()) }
    if isToken("PLATFORM") { return (8, Bytes("x86_64").copy()) }
    return nil
  }
}
