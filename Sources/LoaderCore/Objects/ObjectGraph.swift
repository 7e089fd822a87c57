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
        guard let dependency = try load(name, for: object) else { continue }
        if dependency.dynamic.isExecutable { throw LoadError(.executableAsLibrary, Path(name)) }
        object.dependencies.append(dependency)
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
