import CKernel

/// Start-up before the host is up. What does not work yet: thread-local storage, every function of the C library,
/// and anything that was not relocated; only system calls and Luci's own heap do.
extension Program {
  /// Maps all objects, lays out TLS, builds the stand-in. Returns where to go on: the host's loader, or, for a
  /// program without a C library, the program itself.
  public func bringUp(preload: [Path]) throws(LoadError) -> Jump {
    graph.start(with: executable)
    for path in preload { try loadPreload(path) }
    try graph.loadDependencies()
    for object in graph.objects { tls.add(object) }
    tls.finish()
    gates.setTLS(tls.threadPointerBase, 0)
    guard let loader = try hostLoader() else { return try startWithoutHost() }
    let standIn = try makeStandIn(interpreter: loader)
    self.standIn = standIn
    return try startHost(loader, standIn)
  }

  private func loadPreload(_ path: Path) throws(LoadError) {
    do throws(LoadError) {
      try path.withBytes { (name) -> Result<Void, LoadError> in
        do throws(LoadError) { return .success(try graph.preload(name)) } catch { return .failure(error) }
      }.get()
    } catch {
      // As ld.so: said, and passed over.
      var text = Text("object '")
      path.write(to: &text)
      text.append("' from LD_PRELOAD cannot be preloaded: ")
      text.append(error.message.bytes)
      text.append(" (ignored)")
      log.error(text)
    }
  }

  /// The host's loader: the executable's interpreter, unless that is Luci; then the C library's own PT_INTERP or
  /// the processor's standard path. nil: no object needs a host.
  private func hostLoader() throws(LoadError) -> Path? {
    guard let library = graph.hosts.first else { return nil }
    for candidate in interpreterCandidates(library) {
      guard let status = try? FileDescriptor.status(of: candidate), status.isRegular else { continue }
      if let own = ownStatus, status.isSameFile(as: own) { continue }
      return candidate
    }
    throw LoadError(.hostUnusable("its loader was not found"), library)
  }

  private func interpreterCandidates(_ library: Path) -> [Path] {
    var result: [Path] = []
    if let interpreter { result.append(interpreter) }
    if let path = Program.interpreter(of: library) { result.append(path) }
    result.append(Path("/lib64/ld-linux-x86-64.so.2"))
    result.append(Path("/lib/ld-musl-x86_64.so.1"))
    return result
  }

  /// PT_INTERP of the C library: glibc's can be executed, and says by which loader.
  private static func interpreter(of path: Path) -> Path? {
    guard let file = try? OpenedFile(path) else { return nil }
    defer { file.close() }
    guard let content = try? ObjectMapper.content(of: file.descriptor, size: file.status.size, path: path) else {
      return nil
    }
    defer { Mapping.unmap(content.memoryAddress, UInt64(content.count)) }
    guard let parsed = try? ObjectFile(content), let name = parsed.interpreter else { return nil }
    return Path(name)
  }

  private func makeStandIn(interpreter: Path) throws(LoadError) -> StandIn {
    var contents = StandIn.Contents()
    contents.needed = graph.hosts
    contents.interpreter = interpreter
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
    let content = try ObjectMapper.content(of: file.descriptor, size: file.status.size, path: path)
    defer { Mapping.unmap(content.memoryAddress, UInt64(content.count)) }
    let parsed: ObjectFile
    do throws(ELFError) { parsed = try ObjectFile(content) } catch {
      throw LoadError(.malformed(error), path)
    }
    let bias = try ObjectMapper.map(parsed.segments, of: file.descriptor, at: 0, path: path)
    hostStack = programStack
    hostStack.removeLoaderVariables()
    hostStack[AT_PHDR] = standIn.programHeaders
    hostStack[AT_PHNUM] = standIn.programHeaderCount
    hostStack[AT_BASE] = bias
    hostStack[AT_ENTRY] = gates.continuation
    // The host's vector takes the place of the kernel's, the program's comes below it: so neither is in the way
    // of the other's stack, and both lie in the mapping that the C library knows as the main thread's stack.
    hostStack.write(at: hostStack.address)
    return Jump(entry: bias &+ parsed.header.entry, stack: hostStack.address)
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

extension InitialStack {
  /// What a loader takes for itself is Luci's business: the host must not act on it a second time.
  public mutating func removeLoaderVariables() {
    let names: [StaticString] = [
      "LD_PRELOAD", "LD_AUDIT", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_TRACE_LOADED_OBJECTS", "LD_SHOW_AUXV",
      "LD_BIND_NOW", "LD_VERBOSE", "LD_WARN", "LD_PROFILE",
    ]
    environment = environment.filter { pointer in
      let entry = ProcessMemory.cString(at: pointer)
      return !names.contains { InitialStack.value(of: $0, in: entry) != nil }
    }
  }
}
