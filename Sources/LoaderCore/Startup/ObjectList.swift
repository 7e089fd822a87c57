import CKernel

/// `--list` and LD_TRACE_LOADED_OBJECTS: all objects in load order, as ldd(1) shows them. Nothing is relocated, and
/// what is missing is told in its place.
struct ObjectList {
  private struct Entry {
    let names: [[UInt8]]
    /// nil: not found.
    let path: Path?
    let address: UInt64
    let needed: [[UInt8]]
    let requester: LoadedObject?
  }

  private(set) var text = Text()
  private let program: Program
  private var entries: [Entry] = []

  init(_ program: Program) {
    self.program = program
    if let musl = try? program.muslLoader() {
      program.graph.muslLoader = musl
      program.search.useDirectoriesOfMusl(loader: musl)
    }
    program.graph.start(with: program.executable)
    for path in program.preloads() { path.withBytes { add($0, for: nil) } }
    let needed = (try? program.executable.needed()) ?? []
    if needed.isEmpty, entries.isEmpty {
      text.append("\tstatically linked\n")
      return
    }
    for name in needed { add(name, for: program.executable) }
    var index = 0
    while index < entries.count {
      let entry = entries[index]
      for name in entry.needed { name.withUnsafeBytes { add(Bytes($0), for: entry.requester) } }
      index += 1
    }
    if let address = program.programStack[AT_SYSINFO_EHDR] { line("linux-vdso.so.1", nil, address) }
    for entry in entries { show(entry) }
  }

  private mutating func add(_ name: Bytes, for requester: LoadedObject?) {
    // What is missing is told to each that needs it.
    if entries.contains(where: { $0.path != nil && $0.names.contains { $0.withUnsafeBytes { Bytes($0) == name } } }) {
      return
    }
    if requester != nil, program.graph.isExcluded(name) { return }
    if HostRules.isLoaderName(name) { return addLoader(name) }
    let graph = program.graph
    let known = graph.objects.count
    let hosts = graph.hosts.count
    guard let object = load(name, requester) else {
      if graph.hosts.count > hosts, let path = graph.hosts.last { addHost(name, path) }
      return
    }
    if graph.objects.count == known, entries.contains(where: { $0.requester === object }) { return }
    let needed = ((try? object.needed()) ?? []).map { $0.copy() }
    entries.append(
      Entry(
        names: [name.copy(), object.soname?.copy() ?? [], object.name], path: object.path,
        address: object.memoryRange.start, needed: needed, requester: object))
  }

  private mutating func load(_ name: Bytes, _ requester: LoadedObject?) -> LoadedObject? {
    do throws(LoadError) { return try program.graph.load(name, for: requester) } catch {
      entries.append(Entry(names: [name.copy()], path: nil, address: 0, needed: [], requester: nil))
      return nil
    }
  }

  /// The C library's objects are not mapped; a place where their file could lie stands for their address.
  private mutating func addHost(_ name: Bytes, _ path: Path) {
    var needed: [[UInt8]] = []
    var address: UInt64 = 0
    if let file = try? OpenedFile(path) {
      defer { file.close() }
      if let content = try? ObjectMapper.content(of: file.descriptor, size: file.status.size, path: path) {
        address = content.memoryAddress
        if let parsed = try? ObjectFile(content) {
          for offset in parsed.dynamic?.needed ?? [] {
            if let name = parsed.symbols.string(at: offset) { needed.append(name.copy()) }
          }
        }
      }
    }
    entries.append(Entry(names: [name.copy()], path: path, address: address, needed: needed, requester: nil))
  }

  private mutating func addLoader(_ name: Bytes) {
    let path = (try? program.hostLoader()) ?? Path(name)
    // Behind the last object that was found, as glibc has it.
    let place = (entries.lastIndex { $0.path != nil }).map { $0 + 1 } ?? entries.count
    entries.insert(
      Entry(names: [name.copy()], path: path, address: program.gates.selfRange.start, needed: [], requester: nil),
      at: place)
  }

  private mutating func show(_ entry: Entry) {
    let name = entry.names.first ?? []
    guard let path = entry.path else {
      text.append("\t")
      text.append(name)
      text.append(" => not found\n")
      return
    }
    // A name with a slash is its own path; so is the loader's.
    let isPath = name.contains(47) || name.withUnsafeBytes { HostRules.isLoaderName(Bytes($0)) }
    if isPath {
      path.withBytes { line($0, nil, entry.address) }
    } else {
      name.withUnsafeBytes { line(Bytes($0), path, entry.address) }
    }
  }

  private mutating func line(_ name: StaticString, _ path: Path?, _ address: UInt64) {
    line(Bytes(name), path, address)
  }

  private mutating func line(_ name: Bytes, _ path: Path?, _ address: UInt64) {
    text.append("\t")
    text.append(name)
    if let path {
      text.append(" => ")
      path.write(to: &text)
    }
    text.append(" (0x")
    text.append(hex: address, width: 16)
    text.append(")\n")
  }
}
