import CKernel

/// What happens when a program can't be served: the program's own mistakes are told as the system's loader tells
/// them; in all other cases the program runs as if Luci were not there.
extension LoadError {
  /// A missing library, version or symbol would stop the program under its own loader, too.
  var isProgramsOwn: Bool {
    switch kind {
    case .notFound, .openFailed, .symbolNotFound, .versionNotFound: true
    case .malformed, .readFailed, .notRegularFile, .noLibrary, .executableAsLibrary: true
    default: false
    }
  }
}

extension Start {
  /// Prints the message and exits with the system loader's code (127; 1 for a version, as glibc).
  public static func fail(_ failure: LoadError, name: Path) -> Never {
    var error = failure
    // The executable has no path of its own among the objects, as in link_map.
    if error.object.isEmpty { error.object = name }
    var text = Text()
    name.write(to: &text)
    var code = 127
    switch error.kind {
    case .symbolNotFound:
      text.append(": symbol lookup error: ")
      text.append(error.message.bytes)
      if !error.file.isEmpty {
        text.append(", version ")
        text.append(error.file)
      }
    case .versionNotFound:
      text.append(": ")
      text.append(error.message.bytes)
      code = 1
    default:
      text.append(": error while loading shared libraries: ")
      text.append(error.message.bytes)
    }
    text.append("\n")
    write(text.bytes, to: .standardError)
    Process.exit(code)
  }

  private static func warn(_ log: Log, _ error: LoadError, _ what: StaticString) {
    var text = error.message
    text.append("; ")
    text.append(what)
    log.warning(text)
  }

  /// Started directly: the kernel and the program's own interpreter do the rest. If the kernel can't, the reason that
  /// Luci had comes first: it is the one about the file that was asked for.
  static func execute(_ path: Path, _ situation: Situation, _ log: Log, _ error: LoadError) -> Never {
    var isForeign = false
    if case .foreign = error.kind { isForeign = true }
    if !isForeign || isExecutable(path) { warn(log, error, "the program runs without Luci") }
    let errno = Process.execute(
      path, arguments: situation.stack.arguments, environment: situation.stack.environment)
    if isForeign { fail(error, name: path) }
    var text = Text()
    path.write(to: &text)
    text.append(": cannot execute: ")
    text.append(errno.text)
    text.append("\n")
    write(text.bytes, to: .standardError)
    Process.exit(errno == .noEntry ? 127 : 126)
  }

  private static func isExecutable(_ path: Path) -> Bool {
    ((try? FileDescriptor.status(of: path))?.mode ?? 0) & 0o111 != 0
  }

  /// Started as interpreter: the program's original loader is mapped and entered on the kernel's stack as if the
  /// kernel had done it.
  static func handOver(
    _ situation: Situation, _ log: Log, _ error: LoadError, remembered: Path?, own: FileStatus?
  ) -> Jump {
    warn(log, error, "the program runs under its original loader")
    var first: LoadError?
    for path in originalLoaders(remembered) {
      guard let status = try? FileDescriptor.status(of: path), status.isRegular,
        !(own.map { $0.isSameFile(as: status) } ?? false)
      else { continue }
      do throws(LoadError) { return try enter(path, situation) } catch { first = first ?? error }
    }
    fail(first ?? error, name: Path(situation.stack.argument(0) ?? Bytes("?")))
  }

  /// What setinterp(1) remembered, else the C library's own interpreter, else the standard paths.
  private static func originalLoaders(_ remembered: Path?) -> [Path] {
    var result: [Path] = []
    if let remembered { result.append(remembered) }
    let search = LibrarySearch(libraryPath: [], executableDirectory: Path("/"), isSecure: true)
    if let library = try? search.open(Bytes("libc.so.6"), for: nil) {
      library.close()
      if let path = Executable.interpreter(ofFile: library.path) { result.append(path) }
    }
    search.closeCache()
    result.append(Path(HostRules.glibcStandardLoader))
    result.append(Path(HostRules.muslStandardLoader))
    return result
  }

  private static func enter(_ path: Path, _ situation: Situation) throws(LoadError) -> Jump {
    let file = try OpenedFile(path)
    defer { file.close() }
    let content = try ObjectMapper.content(of: file.descriptor, size: file.status.size, path: path)
    let parsed: ObjectFile
    do throws(ELFError) { parsed = try ObjectFile(content) } catch { throw LoadError(.malformed(error), path) }
    let bias = try ObjectMapper.map(parsed.segments, of: file.descriptor, at: 0, path: path)
    var stack = situation.stack
    stack[AT_BASE] = bias
    stack.write(at: stack.address)
    return Jump(entry: bias &+ parsed.header.entry, stack: stack.address)
  }
}

extension Program {
  /// The message of the system's loader for a function that is missing at its first call.
  public func reportMissingFunction(_ linkMap: UInt64, _ index: UInt64) {
    guard let object = registry.objects.first(where: { $0.linkMap == linkMap }),
      let table = try? RelocationTable(object.image, object.dynamic.pltRelocations), index < UInt64(table.count),
      let symbol = object.symbols[table[Int(index)].symbolIndex], let bytes = object.symbols.name(of: symbol)
    else { Start.fail(LoadError(.hostUnusable("a function that no object defines was called"), name), name: name) }
    var error = LoadError(.symbolNotFound, object === executable ? name : object.path, subject: bytes)
    if let version = object.versions.version(of: table[Int(index)].symbolIndex) { error.file = version.name.copy() }
    Start.fail(error, name: name)
  }
}
