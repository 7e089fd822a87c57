import CKernel

/// Start-up before the host is up. What does not work yet: thread-local storage, every function of the C library,
/// and anything that was not relocated; only system calls and Luci's own heap do.
extension Program {
  /// Maps all objects, lays out TLS, builds the stand-in. Returns where to go on: the host's loader, or, for a
  /// program without a C library, the program itself.
  public func bringUp(preload: [Path]) throws(LoadError) -> Jump {
    graph.muslLoader = try muslLoader()
    if let musl = graph.muslLoader { search.useDirectoriesOfMusl(loader: musl) }
    graph.start(with: executable)
    for (index, path) in preload.enumerated() { try loadPreload(path, from: preloadOrigin(index)) }
    try graph.loadDependencies()
    trace?.everythingIsLoaded()
    for object in graph.objects { tls.add(object) }
    tls.finish()
    gates.setTLS(tls.threadPointerBase, 0)
    guard let loader = try hostLoader() else { return try startWithoutHost() }
    let standIn = try makeStandIn(interpreter: loader)
    self.standIn = standIn
    return try startHost(loader, standIn)
  }

  /// LD_PRELOAD, then /etc/ld.so.preload (ld.so(8)), which counts for set-user-ID programs, too.
  func preloads() -> [Path] {
    var result = settings.preload
    if graph.muslLoader != nil { return result }
    guard let content = try? FileDescriptor.content(of: Path(Program.preloadFile), limit: 64 << 10) else {
      return result
    }
    content.withUnsafeBytes { buffer in
      for line in Bytes(buffer).parts((10, 10), keepingEmpty: false) {
        // A comment reaches to the end of its line; names end at blanks and colons.
        line.withBytes { bytes in
          var end = 0
          while end < bytes.count, bytes[end] != 35 { end += 1 }
          guard let names = bytes.slice(at: 0, count: UInt64(end)) else { return }
          for part in names.parts((32, 58), keepingEmpty: false) {
            part.withBytes { result += $0.parts((9, 9), keepingEmpty: false) }
          }
        }
      }
    }
    return result
  }

  private func loadPreload(_ path: Path, from origin: Bytes) throws(LoadError) {
    do throws(LoadError) {
      try path.withBytes { (name) -> Result<Void, LoadError> in
        do throws(LoadError) { return .success(try graph.preload(name)) } catch { return .failure(error) }
      }.get()
    } catch {
      // As ld.so: said in these words, and passed over.
      var text = Text("ERROR: ld.so: object '")
      path.write(to: &text)
      text.append("' from ")
      text.append(origin)
      text.append(" cannot be preloaded (")
      text.append(error.reasonOfPreload)
      text.append("): ignored.\n")
      Start.write(text.bytes, to: .standardError)
      status.report(
        StatusRecord(.preloadFailed, object: path.lastComponent, path: path, cause: nil, detail: error.message),
        isLogged: false)
    }
  }

  /// How the system's loader calls what names a preload.
  private func preloadOrigin(_ index: Int) -> Bytes {
    if index >= settings.preload.count { return Bytes(Program.preloadFile) }
    return settings.source(of: .preload) == .option ? Bytes("--preload") : Bytes("LD_PRELOAD")
  }

  private func makeStandIn(interpreter: Path) throws(LoadError) -> StandIn {
    var contents = StandIn.Contents()
    contents.needed = graph.hosts
    if graph.muslLoader != nil {
      // By name: by path, musl's loader would map its own file a second time.
      contents.needed = [Path("libc.so")]
      // It knows no finaliser in rdx; exit(3) runs this one, since the stand-in is the program to it.
      contents.finiFunction = gates.finaliser
    }
    contents.interpreter = interpreter
    contents.directories = hostDirectories()
    contents.stackFlags = executable.segments.stackFlags ?? UInt32(PF_R | PF_W | PF_X)
    contents.tlsSize = tls.size
    contents.tlsAlignment = tls.alignment
    contents.exports = gates.interposers
    contents.copies = try copiesFromHost()
    contents.initFunction = executable.dynamic.initFunction.map { executable.bias &+ $0 }
    let array = executable.dynamic.initArray
    if array.isPresent {
      contents.initArray = AddressRange(start: executable.bias &+ array.address, count: array.size)
    }
    do throws(Errno) { return try StandIn(contents) } catch {
      throw LoadError(.mapFailed(error), interpreter)
    }
  }

  /// Where the C library looks for what it opens by itself (libgcc_s for pthread_cancel, name service modules): its
  /// loader takes the stand-in for the program, whose DT_RPATH counts for that. `--library-path` is not in the
  /// environment that it sees; and what belongs to a C library in a folder lies there, too.
  private func hostDirectories() -> [Path] {
    var result = search.rpathChain(of: executable)
    if settings.source(of: .libraryPath) == .option { result += settings.libraryPath }
    if let library = graph.hosts.first(where: { HostRules.isHostName($0) }) {
      let directory = library.directory
      if !search.isDefault(directory) { result.append(directory) }
    }
    return result.filter { !$0.isEmpty }
  }

  /// The executable's copy relocations whose definition is none of the program's: the host has it.
  private func copiesFromHost() throws(LoadError) -> [StandIn.CopiedVariable] {
    var result: [StandIn.CopiedVariable] = []
    let table: RelocationTable
    do throws(ELFError) { table = try RelocationTable(executable.image, executable.dynamic.rela) } catch {
      throw LoadError(.malformed(error), name)
    }
    for index in 0..<table.count where table[index].type == UInt32(R_X86_64_COPY) {
      let relocation = table[index]
      guard let symbol = executable.symbols[relocation.symbolIndex],
        let bytes = executable.symbols.name(of: symbol),
        executable.segments.covers(AddressRange(start: relocation.offset, count: min(symbol.size, 1 << 40)))
      else { throw LoadError(.malformed(ELFError(.symbolIndex, at: relocation.offset)), name) }
      let wanted = SymbolName(bytes)
      let version = executable.versions.version(of: relocation.symbolIndex)
      let isProgram = graph.objects.contains {
        $0 !== executable && $0.definition(of: wanted, version: version) != nil
      }
      if isProgram { continue }
      result.append(
        StandIn.CopiedVariable(name: bytes, address: executable.bias &+ relocation.offset, size: symbol.size))
    }
    return result
  }

  /// Maps the host's loader and makes the vector that it will start from.
  private func startHost(_ path: Path, _ standIn: StandIn) throws(LoadError) -> Jump {
    let file = try OpenedFile(path)
    defer { file.close() }
    let header: FileHeader
    let segments: Segments
    if let found = file.segments {
      (header, segments) = found
    } else {
      let content = try ObjectMapper.content(of: file.descriptor, size: file.status.size, path: path)
      defer { Mapping.unmap(content.memoryAddress, UInt64(content.count)) }
      do throws(ELFError) {
        header = try FileHeader(content)
        segments = try Segments(content, header)
      } catch {
        throw LoadError(.malformed(error), path)
      }
    }
    let bias = try ObjectMapper.map(segments, of: file.descriptor, at: 0, path: path)
    hidePreloadFile(segments, bias)
    hostStack = programStack
    hostStack.removeLoaderVariables()
    hostStack[AT_PHDR] = standIn.programHeaders
    hostStack[AT_PHNUM] = standIn.programHeaderCount
    hostStack[AT_BASE] = bias
    hostStack[AT_ENTRY] = gates.continuation
    // The host's vector takes the place of the kernel's, the program's comes below it: so neither is in the way
    // of the other's stack, and both lie in the mapping that the C library knows as the main thread's stack.
    hostStack.write(at: hostStack.address)
    return Jump(entry: bias &+ header.entry, stack: hostStack.address)
  }

  /// No C library anywhere: Luci sets up the thread pointer itself and goes on at once.
  private func startWithoutHost() throws(LoadError) -> Jump {
    // The words behind the thread pointer are a C library's; code may still expect the pointer to itself.
    let tail: UInt64 = 1024
    do throws(Errno) {
      let memory = try Mapping.anonymous(tls.size + tls.alignment + tail, .readWrite)
      let block = (memory + tls.alignment - 1) & ~(tls.alignment - 1)
      let pointer = block + tls.size
      ProcessMemory.store(pointer, at: pointer)
      Process.threadPointer = pointer
    } catch {
      throw LoadError(.mapFailed(error), name)
    }
    return try finish(hostFinaliser: 0)
  }
}
