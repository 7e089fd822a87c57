import CKernel

/// What happens when a program can't be served: the program's own mistakes are told as the system's loader tells
/// them; in all other cases the program runs as if Luci were not there.
extension LoadError {
  /// A missing library, version or symbol would stop the program under its own loader, too.
  var isProgramsOwn: Bool {
    switch kind {
    case .notFound, .openFailed, .symbolNotFound, .versionNotFound: true
    case .malformed, .readFailed, .notRegularFile, .noLibrary: true
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

  /// Started directly: the kernel and the program's own interpreter do the rest.
  static func execute(_ path: Path, _ situation: Situation, _ log: Log, _ error: LoadError) -> Never {
    warn(log, error, "the program runs without Luci")
    let errno = Process.execute(
      path, arguments: situation.stack.arguments, environment: situation.stack.environment)
    var text = Text()
    path.write(to: &text)
    text.append(": cannot execute: ")
    text.append(errno.text)
    text.append("\n")
    write(text.bytes, to: .standardError)
    Process.exit(errno == .noEntry ? 127 : 126)
  }

  /// Started as interpreter: the program's original loader, or the system's, is mapped and entered on the kernel's
  /// stack as if the kernel had done it.
  static func handOver(_ situation: Situation, _ log: Log, _ error: LoadError) -> Jump {
    warn(log, error, "the program runs under its original loader")
    let path = Path("/lib64/ld-linux-x86-64.so.2")
    do throws(LoadError) {
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
    } catch {
      fail(error, name: path)
    }
  }
}

extension Executable {
  /// PT_INTERP of a mapped executable: its bytes lie in memory wherever a segment covers them.
  public static func interpreter(of object: LoadedObject) -> Path? {
    guard let range = object.segments.interpreter else { return nil }
    for load in object.segments.loads
    where range.start >= load.fileOffset && range.end <= load.fileOffset + load.fileSize {
      let address = load.address + (range.start - load.fileOffset)
      guard let bytes = object.image.bytes(at: address, count: range.count), let name = bytes.cString(at: 0) else {
        return nil
      }
      return Path(name)
    }
    return nil
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
