import Foundation

/// A directory of a test's own, removed with it.
final class Workspace {
  let path: String
  private var serial = 0

  init() throws {
    var template = Array((NSTemporaryDirectory() + "/luci-test-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure("mkdtemp: \(String(cString: strerror(errno)))") }
    path =
      URL(fileURLWithPath: String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
      .resolvingSymlinksInPath().path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The absolute path of a name in this directory.
  func file(_ name: String) -> String { path + "/" + name }

  /// A name that was not used before.
  func unused(_ prefix: String) -> String {
    serial += 1
    return file("\(prefix).\(serial)")
  }

  // MARK: Replacing files

  /// A new file takes the place of the old one, as dpkg and careful linkers do it.
  func replace(_ target: String, with source: String, owner: uid_t? = nil) throws {
    let complete = unused("\((target as NSString).lastPathComponent).dpkg-new")
    try FileManager.default.copyItem(atPath: source, toPath: complete)
    if let owner { chown(complete, owner, owner) }
    try rename(complete, over: target)
  }

  /// A copy that is going to be executed. Made by a process of its own: a descriptor that this one has open for
  /// writing is inherited by whatever another test starts at that moment, and the file would be busy.
  func install(_ target: String, from source: String) async throws {
    try await run("cp", ["--remove-destination", source, target])
    chmod(target, 0o755)
  }

  func replace(_ target: String, content: Data) throws {
    let complete = unused("\((target as NSString).lastPathComponent).dpkg-new")
    try content.write(to: URL(fileURLWithPath: complete))
    try rename(complete, over: target)
  }

  func rename(_ source: String, over target: String) throws {
    guard Foundation.rename(source, target) == 0 else {
      throw Failure("rename \(source) \(target): \(String(cString: strerror(errno)))")
    }
  }

  /// The same file (inode) gets new content, as cp does it: truncated first, then written in `steps` pieces.
  func overwrite(_ target: String, content: Data, steps: Int = 1, pause: Duration = .zero) async throws {
    // Closed on exec: a program that another test starts meanwhile would keep it open, and the file unfinished.
    let descriptor = open(target, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure("open \(target): \(String(cString: strerror(errno)))") }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    defer { try? handle.close() }
    try handle.truncate(atOffset: 0)
    let step = max(1, (content.count + steps - 1) / steps)
    for start in stride(from: 0, to: content.count, by: step) {
      try handle.write(contentsOf: content[start..<min(start + step, content.count)])
      if pause > .zero { try await Task.sleep(for: pause) }
    }
  }

  func remove(_ target: String) throws { try FileManager.default.removeItem(atPath: target) }

  func contents(_ file: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: file)) }

  // MARK: Compiling

  /// Compiles with gcc or g++ (by the first source's name) and returns the result's path.
  ///
  /// `sources` without a directory are those of `Programs/`. Libraries of this directory are found at link and at run
  /// time.
  @discardableResult
  func compile(_ name: String, _ sources: String..., flags: [String] = [], start: Start = .system) async throws
    -> String
  {
    let files = sources.map { $0.hasPrefix("/") ? $0 : Luci.source($0) }
    let compiler = files[0].hasSuffix(".cpp") ? "g++" : "gcc"
    var arguments = ["-O1", "-g", "-Wall", "-o", file(name)] + files
    arguments += ["-L" + path, "-Wl,-rpath," + path] + flags
    if start == .interpreter, let loader = Luci.loader { arguments.append("-Wl,--dynamic-linker=" + loader) }
    try await run(compiler, arguments)
    return file(name)
  }

  @discardableResult
  func library(_ name: String, _ sources: String..., flags: [String] = []) async throws -> String {
    let files = sources.map { $0.hasPrefix("/") ? $0 : Luci.source($0) }
    let compiler = files[0].hasSuffix(".cpp") ? "g++" : "gcc"
    let soname = (name as NSString).lastPathComponent
    try FileManager.default.createDirectory(
      atPath: (file(name) as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    var arguments = ["-O1", "-g", "-Wall", "-fPIC", "-shared", "-Wl,-soname," + soname, "-o", file(name)]
    arguments += files + ["-L" + path, "-Wl,-rpath," + path] + flags
    try await run(compiler, arguments)
    return file(name)
  }

  /// Runs a tool that must succeed.
  func run(_ tool: String, _ arguments: [String]) async throws {
    let program = try RunningProgram(in: self, [tool] + arguments)
    let ending = try await program.end()
    guard ending == .exit(0) else { throw Failure("\(tool) failed: \(program.seen)") }
  }
}

/// A test that could not even be set up, or an event that did not come.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
