import CKernel

/// Loads an executable's objects breadth-first over DT_NEEDED, and knows the order in which symbols are looked
/// up: host objects are only noted by name, at the place where they were first needed.
public final class ObjectGraph {
  public enum ScopeEntry {
    case object(LoadedObject)
    case host(Path)
  }

  public private(set) var objects: [LoadedObject] = []
  public private(set) var scope: [ScopeEntry] = []
  /// Host objects by the path that search found, in order.
  public private(set) var hosts: [Path] = []
  /// Loader and C library of a program that was built for musl; nil for one built for glibc.
  public var muslLoader: Path?
  /// LD_EXCLUDE.
  public var excluded: [Path] = []
  private var hostNames: [[UInt8]] = []
  private let search: LibrarySearch
  private let factory: ObjectFactory

  public init(search: LibrarySearch, factory: ObjectFactory) {
    self.search = search
    self.factory = factory
  }

  public func start(with executable: LoadedObject) {
    objects.append(executable)
    scope.append(.object(executable))
  }

  /// Loads `name` ahead of the executable's own needs (LD_PRELOAD). A preload that is missing is only reported.
  public func preload(_ name: Bytes) throws(LoadError) {
    _ = try load(name, for: nil)
  }

  /// Loads all that the objects so far need, and what those need in turn.
  public func loadDependencies(from first: Int = 0) throws(LoadError) {
    var index = first
    while index < objects.count {
      let object = objects[index]
      for name in try object.needed() where !isExcluded(name) {
        if let dependency = try load(name, for: object) { object.dependencies.append(dependency) }
      }
      index += 1
    }
  }

  func isExcluded(_ name: Bytes) -> Bool { excluded.contains { $0.withBytes { $0 == name } } }

  /// How much there is, to go back to when a dlopen fails.
  struct Mark {
    let objects: Int
    let scope: Int
    let hosts: Int
    let hostNames: Int
  }

  var mark: Mark {
    Mark(objects: objects.count, scope: scope.count, hosts: hosts.count, hostNames: hostNames.count)
  }

  /// Forgets what was added since; returns the objects.
  func rollBack(to mark: Mark) -> [LoadedObject] {
    let removed = Array(objects[mark.objects...])
    objects.removeSubrange(mark.objects...)
    scope.removeSubrange(mark.scope...)
    hosts.removeSubrange(mark.hosts...)
    hostNames.removeSubrange(mark.hostNames...)
    return removed
  }

  func remove(where isGone: (LoadedObject) -> Bool) {
    objects.removeAll(where: isGone)
    scope.removeAll { entry in
      if case .object(let object) = entry { return isGone(object) }
      return false
    }
  }

  /// A newer version takes the place of the older one.
  public func replace(_ old: LoadedObject, by new: LoadedObject) {
    for index in 0..<objects.count where objects[index] === old { objects[index] = new }
    for object in objects {
      for index in 0..<object.dependencies.count where object.dependencies[index] === old {
        object.dependencies[index] = new
      }
    }
  }

  /// The object for a name: one that is there already, or newly mapped; nil for a host object.
  public func load(_ name: Bytes, for requester: LoadedObject?) throws(LoadError) -> LoadedObject? {
    if isHost(name) { return nil }
    if let known = object(named: name) { return known }
    if HostRules.isLoaderName(name) { return nil }
    if let muslLoader, HostRules.isReservedByMusl(name) {
      noteHost(name, muslLoader)
      return nil
    }
    search.trace?.needed(name, by: requester?.path)
    let file = try search.open(name, for: requester)
    defer { file.close() }
    if let known = object(from: file) {
      known.aliases.append(name.copy())
      return known
    }
    if HostRules.isHostName(name) {
      noteHost(name, file.path)
      return nil
    }
    switch try factory.load(file, name: name) {
    case .host:
      noteHost(name, file.path)
      return nil
    case .object(let object):
      if let requester { object.inheritedRPath = search.rpathChain(of: requester) }
      search.trace?.mapped(object)
      object.aliases.append(name.copy())
      objects.append(object)
      scope.append(.object(object))
      return object
    }
  }

  /// A host object, by a name that was asked for.
  func isHost(_ name: Bytes) -> Bool { hostNames.contains { $0.withUnsafeBytes { Bytes($0) == name } } }

  /// The object that was loaded from the same file, by whichever path.
  func object(from file: OpenedFile) -> LoadedObject? {
    objects.first { $0.role == .library && !$0.isClosing && $0.status?.isSameFile(as: file.status) ?? false }
  }

  private func noteHost(_ name: Bytes, _ path: Path) {
    search.trace?.leftToHost(name, path)
    hostNames.append(name.copy())
    if hosts.contains(path) { return }
    hosts.append(path)
    scope.append(.host(path))
  }

  public func object(named name: Bytes) -> LoadedObject? {
    objects.first { $0.role == .library && !$0.isClosing && $0.isNamed(name) }
  }
}

/// Makes objects from files: from the file itself, or from a private copy that nobody else can change.
public final class ObjectFactory {
  public enum Result {
    case host
    case object(LoadedObject)
  }

  /// Whether objects outside the system's library directories are mapped from a copy, and file contents kept for
  /// Bean: only where updates can come.
  public let keepsContent: Bool

  public init(keepsContent: Bool) { self.keepsContent = keepsContent }

  public func load(_ file: OpenedFile, name: Bytes) throws(LoadError) -> Result {
    if let result = try loadMapped(file, name: name) { return result }
    let source = try source(of: file)
    var isKept = false
    defer {
      source.copy?.closeDescriptor()
      if !isKept, source.copy == nil { Mapping.unmap(source.content.memoryAddress, UInt64(source.content.count)) }
    }
    let parsed = try ObjectFactory.parse(source.content, file.path)
    if HostRules.isHost(parsed) { return .host }
    let bias = try ObjectMapper.map(parsed.segments, of: source.descriptor, at: 0, path: file.path)
    let object = try ObjectFactory.object(
      parsed, bias: bias, path: file.path, name: Path(name).lastComponent, status: file.status)
    object.privateCopy = source.copy
    if keepsContent {
      object.fileContent = source.content
      isKept = true
    }
    return .object(object)
  }

  /// The short way for nearly all libraries: maps the segments that the file's beginning tells of and reads the tables
  /// there, once. nil: the file has to be looked at as a whole, or to be refused with a reason.
  private func loadMapped(_ file: OpenedFile, name: Bytes) throws(LoadError) -> Result? {
    if HostRules.isProbablyHost(name) { return nil }
    let copy = isCopied(file) ? try? PrivateCopy(of: file.descriptor, status: file.status, path: file.path) : nil
    defer { copy?.closeDescriptor() }
    guard let (header, segments) = copy.map({ OpenedFile.segments($0.bytes, fileSize: $0.status.size) }) ?? file.segments,
      header.kind == .sharedObject
    else { return nil }
    let source = copy?.descriptor ?? file.descriptor
    let bias = try ObjectMapper.map(segments, of: source, at: 0, path: file.path)
    guard
      let object = try? LoadedObject(
        role: .library, path: file.path, name: Path(name).lastComponent.withBytes { $0.copy() }, bias: bias,
        segments: segments, image: ObjectMapper.image(segments, bias: bias), status: file.status),
      !HostRules.isHost(object.versions)
    else {
      Mapping.unmap(bias &+ segments.span.start, segments.span.count)
      return nil
    }
    object.programHeaders = segments.programHeadersAddress.map { bias &+ $0 } ?? 0
    object.programHeaderCount = UInt64(header.programHeaderCount)
    object.privateCopy = copy
    object.fileContent = copy?.bytes
    if keepsContent, copy == nil {
      // Nobody reads it before an update comes, but then the file may be another.
      guard let content = try? ObjectMapper.content(of: source, size: file.status.size, path: file.path) else {
        Mapping.unmap(bias &+ segments.span.start, segments.span.count)
        return nil
      }
      object.fileContent = content
    }
    return .object(object)
  }

  /// Where updates can come and others than package managers write, overwriting a file in place would otherwise change
  /// or truncate running code.
  private func isCopied(_ file: OpenedFile) -> Bool { keepsContent && !SystemDirectories.contain(file.resolvedPath) }

  /// Reads a shared object's tables from its file.
  public static func parse(_ content: Bytes, _ path: Path) throws(LoadError) -> ObjectFile {
    do throws(ELFError) {
      // In the words of the system's loader, whatever the few bytes are.
      guard content.count >= MemoryLayout<Elf64_Ehdr>.size else { throw ELFError(.truncatedHeader, at: 0) }
      let parsed = try ObjectFile(content)
      if parsed.header.kind == .sharedObject { return parsed }
    } catch {
      throw LoadError(.malformed(error), path)
    }
    throw LoadError(.noLibrary("cannot dynamically load executable"), path)
  }

  /// The object for segments that are mapped; gives them back where its tables turn out to be broken.
  public static func object(
    _ parsed: ObjectFile, bias: UInt64, path: Path, name: Path, status: FileStatus
  ) throws(LoadError) -> LoadedObject {
    do throws(ELFError) {
      let object = try LoadedObject(
        role: .library, path: path, name: name.withBytes { $0.copy() }, bias: bias, segments: parsed.segments,
        image: ObjectMapper.image(parsed.segments, bias: bias), status: status)
      object.programHeaders = parsed.segments.programHeadersAddress.map { bias &+ $0 } ?? 0
      object.programHeaderCount = UInt64(parsed.header.programHeaderCount)
      return object
    } catch {
      Mapping.unmap(bias &+ parsed.segments.span.start, parsed.segments.span.count)
      throw LoadError(.malformed(error), path)
    }
  }

  /// Where an object's bytes come from.
  private struct Source {
    let descriptor: FileDescriptor
    let content: Bytes
    let copy: PrivateCopy?
  }

  /// The file itself, or a copy.
  private func source(of file: OpenedFile) throws(LoadError) -> Source {
    if isCopied(file) {
      do throws(CopyFailure) {
        let copy = try PrivateCopy(of: file.path)
        return Source(descriptor: copy.descriptor, content: copy.bytes, copy: copy)
      } catch {
        // The file is mapped itself, then; an empty or broken one is told by who reads it.
      }
    }
    let content = try ObjectMapper.content(of: file.descriptor, size: file.status.size, path: file.path)
    return Source(descriptor: file.descriptor, content: content, copy: nil)
  }
}
