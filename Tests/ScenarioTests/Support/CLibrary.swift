import Foundation
import Testing

/// A C library beside the machine's own, with a compiler that builds for it.
enum CLibrary: String, CaseIterable, CustomTestStringConvertible {
  /// glibc 2.31.
  case bullseye
  /// glibc 2.41.
  case trixie
  case musl

  var testDescription: String { rawValue }

  static let available = allCases.filter { $0.isAvailable }

  private var root: String { self == .musl ? "/" : (Luci.subjects ?? "") + "/" + rawValue }

  private var isAvailable: Bool {
    self == .musl
      ? Luci.exists("/usr/bin/musl-gcc") && Luci.exists(loader) : Luci.subjects != nil && Luci.exists(root)
  }

  /// Where programs and their libraries find it.
  var loader: String { self == .musl ? "/lib/ld-musl-x86_64.so.1" : root + "/lib64/ld-linux-x86-64.so.2" }
  var directories: [String] {
    self == .musl ? [] : ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"].map { root + $0 }
  }

  /// Compiles for this C library; `interpreter` nil makes a shared object.
  @discardableResult
  func compile(
    _ workspace: Workspace, _ name: String, _ sources: [String], flags: [String] = [], interpreter: String? = nil
  ) async throws -> String {
    let path = workspace.file(name)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    let isCXX = sources[0].hasSuffix(".cpp")
    var arguments = ["-O1", "-o", path] + sources.map { Luci.source($0) }
    if self != .musl { arguments += ["--sysroot=" + root, "-L" + directories[1]] }
    // DT_RPATH counts for what the C library opens by itself, too.
    arguments += [
      "-Wl,--disable-new-dtags", "-L" + workspace.path,
      "-Wl,-rpath," + ([workspace.path] + directories).joined(separator: ":"),
    ]
    if let interpreter {
      arguments += flags + ["-Wl,--no-as-needed", "-lpthread", "-ldl", "-Wl,--dynamic-linker=" + interpreter]
    } else {
      arguments += ["-fPIC", "-shared", "-Wl,-soname," + (name as NSString).lastPathComponent] + flags
    }
    try await workspace.run(self == .musl ? "musl-gcc" : isCXX ? "g++" : "gcc", arguments)
    return path
  }

  func subject(_ workspace: Workspace, _ sources: [String], flags: [String] = []) -> Subject {
    Subject(workspace: workspace, path: workspace.file("program")) { start in
      try await compile(
        workspace, "program", sources, flags: flags, interpreter: start == .interpreter ? Luci.loader : loader)
    }
  }
}
