import CKernel

/// Which loader brings up the C library.
///
/// glibc's loader and libc share private structures, so the loader must be the one that was built with the chosen
/// libc: the one in the same directory. musl is one file for both.
extension Program {
  /// nil: no object needs a host.
  func hostLoader() throws(LoadError) -> Path? {
    guard let library = graph.hosts.first(where: { HostRules.isHostName($0) }) ?? graph.hosts.first else {
      return nil
    }
    if let musl = graph.muslLoader { return musl }
    let named = namedLoaders
    let beside = library.directory.appending(Bytes(HostRules.glibcLoader))
    if let status = usableLoader(beside) {
      // The same file under the name that the program knows it by: that name shows up in lists of objects.
      for candidate in named where (usableLoader(candidate)?.isSameFile(as: status)) ?? false { return candidate }
      return beside
    }
    for candidate in named + (Executable.interpreter(ofFile: library).map { [$0] } ?? []) {
      if usableLoader(candidate) != nil { return candidate }
    }
    throw LoadError(.hostUnusable("its loader was not found"), library)
  }

  /// In order: the executable's interpreter where that is not Luci, the one that setinterp(1) remembered, the
  /// processor's standard path.
  private var namedLoaders: [Path] {
    var result: [Path] = []
    if let interpreter { result.append(interpreter) }
    result.append(Path(HostRules.glibcStandardLoader))
    return result
  }

  /// A file that is there and is not Luci.
  private func usableLoader(_ path: Path) -> FileStatus? {
    guard let status = try? FileDescriptor.status(of: path), status.isRegular else { return nil }
    if let own = ownStatus, status.isSameFile(as: own) { return nil }
    return status
  }

  /// The loader of a program that was built for musl; nil for others.
  ///
  /// What it asks for first is searched where programs can say so; libraries of that name in the system's
  /// directories belong to another C library (`libc.so` of glibc is a linker script).
  func muslLoader() throws(LoadError) -> Path? {
    let needed = try executable.needed()
    guard
      needed.contains(where: { HostRules.isMuslLibrary($0) })
        || interpreter?.lastComponent.withBytes({ HostRules.isMuslLoader($0) }) ?? false
    else { return nil }
    for directory in search.directoriesBeforeCache(executable) {
      for name in [HostRules.muslLoader, "libc.musl-x86_64.so.1", "libc.so"] as [StaticString] {
        let candidate = directory.appending(Bytes(name))
        if usableLoader(candidate) != nil, let file = try? OpenedFile(candidate) {
          defer { file.close() }
          if file.isELF { return candidate }
        }
      }
    }
    for candidate in (interpreter.map { [$0] } ?? []) + [Path(HostRules.muslStandardLoader)] {
      guard candidate.lastComponent.withBytes({ HostRules.isMuslLoader($0) || HostRules.isMuslLibrary($0) }),
        usableLoader(candidate) != nil
      else { continue }
      return candidate
    }
    throw LoadError(.hostUnusable("its loader was not found"), Path(HostRules.muslLoader))
  }
}

extension Program {
  /// glibc's loader reads /etc/ld.so.preload whatever variables say, and would load everything in it a second time,
  /// for the C library alone: the file's name is changed in that loader's memory.
  func hidePreloadFile(_ segments: Segments, _ bias: UInt64) {
    let name = Bytes(Program.preloadFile)
    guard (try? FileDescriptor.status(of: Path(Program.preloadFile))) != nil else { return }
    for load in segments.loads where !load.isExecutable {
      let content = ProcessMemory.bytes(at: bias &+ load.address, count: load.fileSize)
      var offset: UInt64 = 0
      while offset + UInt64(name.count) < load.fileSize {
        if content[Int(offset)] == 47, content.slice(at: offset, count: UInt64(name.count)) == name {
          let address = bias &+ load.address + offset
          let page = address & ~(Segments.pageSize - 1)
          guard (try? Mapping.protect(page, Segments.pageSize, .readWrite)) != nil else { return }
          ProcessMemory.store(UInt8(0), at: address)
          try? Mapping.protect(page, Segments.pageSize, Mapping.Protection(segmentFlags: load.flags))
          return
        }
        offset += 1
      }
    }
  }

  static var preloadFile: StaticString { "/etc/ld.so.preload" }
}

extension Executable {
  /// PT_INTERP of a file: glibc's libc.so.6 can be executed, and says by which loader.
  public static func interpreter(ofFile path: Path) -> Path? {
    withFile(path) { parsed in parsed.interpreter.map { Path($0) } }
  }

  /// What setinterp(1) remembered in a file.
  public static func originalInterpreter(ofFile path: Path) -> Path? {
    withFile(path) { parsed in parsed.rememberedInterpreter.map { Path($0) } }
  }

  private static func withFile(_ path: Path, _ body: (ObjectFile) -> Path?) -> Path? {
    guard let file = try? OpenedFile(path) else { return nil }
    defer { file.close() }
    guard let content = try? ObjectMapper.content(of: file.descriptor, size: file.status.size, path: path) else {
      return nil
    }
    defer { Mapping.unmap(content.memoryAddress, UInt64(content.count)) }
    guard let parsed = try? ObjectFile(content) else { return nil }
    return body(parsed)
  }

  /// Bytes of PT_INTERP of an executable that the kernel mapped, where a segment covers them.
  static func interpreterArea(of object: LoadedObject) -> Bytes? {
    guard let range = object.segments.interpreter else { return nil }
    for load in object.segments.loads
    where range.start >= load.fileOffset && range.end <= load.fileOffset + load.fileSize {
      return object.image.bytes(at: load.address + (range.start - load.fileOffset), count: range.count)
    }
    return nil
  }

  /// PT_INTERP of a mapped executable.
  public static func interpreter(of object: LoadedObject) -> Path? {
    interpreterArea(of: object)?.cString(at: 0).map { Path($0) }
  }

  /// What setinterp(1) remembered of a running program: it may lie behind the segments, in the file alone.
  public static func originalInterpreter(of object: LoadedObject) -> Path? {
    if let area = interpreterArea(of: object) { return InterpreterRecord(area).map { Path($0.original) } }
    return originalInterpreter(ofFile: Path("/proc/self/exe"))
  }
}
