import Foundation
import Testing

/// Programs in unusual places and roles: set-user-ID, in another root directory, started by themselves.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct PlacesTests {
  let workspace = try! Workspace()
  static let isRoot = geteuid() == 0

  @Test func startsItself() async throws {
    let reference = try await Subject.compiled(in: workspace, "self.c").compare(ways: [.interpreter])
    #expect(reference.output.contains("on the alternate stack"))
    #expect(reference.ending == .exit(6))
  }

  /// Where the kernel permits it, a program that was started through the loader finds itself, not the loader.
  @Test(.enabled(if: isRoot, "needs root"))
  func selfIsTheProgram() async throws {
    let loader = try #require(Luci.loader)
    for path in ["/usr/bin/readlink", "/bin/cat"] {
      let arguments = path == "/bin/cat" ? ["/proc/self/cmdline"] : ["/proc/self/exe"]
      let program = try RunningProgram(in: workspace, [loader, path] + arguments)
      #expect(try await program.end() == .exit(0))
      #expect(
        program.seen.output == (path == "/bin/cat" ? "/bin/cat\0/proc/self/cmdline\0" : "/usr/bin/readlink\n"))
    }
  }

  /// The same for root of a user namespace; without any privilege it is the loader, as with the system's.
  @Test(.enabled(if: isRoot && Luci.exists("/usr/bin/setpriv") && Luci.exists("/usr/bin/unshare"), "needs root"))
  func selfWithoutPrivilege() async throws {
    chmod(workspace.path, 0o755)
    let loader = workspace.file("loader")
    try await workspace.install(loader, from: try #require(Luci.loader))
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    let command = [loader, "/usr/bin/readlink", "/proc/self/exe"]
    for (prefix, expected) in [(user, loader), (user + ["unshare", "-Ur"], "/usr/bin/readlink")] {
      let program = try RunningProgram(in: workspace, prefix + command)
      let ending = try await program.end()
      // A machine may forbid user namespaces.
      if program.seen.errors.contains("unshare failed") { continue }
      #expect(ending == .exit(0))
      #expect(program.seen.output == expected + "\n", "\(program.seen)")
    }
  }

  /// A set-user-ID program gets neither libraries nor variables from its caller.
  @Test(.enabled(if: isRoot && Luci.exists("/usr/bin/setpriv"), "needs root"))
  func setUserID() async throws {
    chmod(workspace.path, 0o755)
    let loader = workspace.file("loader")
    try await workspace.install(loader, from: try #require(Luci.loader))
    try await workspace.library("libplain.so", "plain.c")
    let good = try workspace.contents(workspace.file("libplain.so"))
    try await workspace.library("libplain.so", "plain.c", flags: ["-DVALUE=666"])
    let path = workspace.file("program")
    var outcomes: [Outcome] = []
    for interpreter in ["/lib64/ld-linux-x86-64.so.2", loader] {
      try workspace.replace(workspace.file("libplain.so"), content: good)
      let directory = workspace.file("good")
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      try workspace.replace(directory + "/libplain.so", content: good)
      try await workspace.run(
        "gcc",
        ["-o", path, Luci.source("secure.c"), "-L" + directory, "-lplain", "-Wl,-rpath," + directory]
          + ["-Wl,--dynamic-linker=" + interpreter])
      chmod(path, 0o4755)
      let environment = [
        "LD_LIBRARY_PATH": workspace.path, "LD_PRELOAD": workspace.file("libplain.so"), "LD_DEBUG": "all",
        "TMPDIR": "/x", "GCONV_PATH": "/x", "LOCPATH": "/x", "HARMLESS": "kept", "LD_STATUS_INFO": "/tmp/never",
      ]
      // The variables are for the program only, and not for what starts it.
      let variables = environment.map { "\($0.key)=\($0.value)" }.sorted()
      let program = try RunningProgram(
        in: workspace, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env"] + variables + [path])
      let ending = try await program.end()
      outcomes.append(Outcome(output: program.seen.output, errors: program.seen.errors, ending: ending))
    }
    #expect(outcomes[0].output.hasPrefix("secure 1, user 65534, effective 0"), "\(outcomes[0])")
    #expect(outcomes[1] == outcomes[0], "\(outcomes[1].difference(to: outcomes[0]))")
  }

  /// A folder that has nothing but the program's files: no /proc, no /dev, no caches; /etc/ld.so.preload is its own.
  @Test(.enabled(if: isRoot, "needs root"), arguments: [false, true])
  func anotherRoot(withPreload: Bool) async throws {
    let root = workspace.file("root")
    let libraries = root + "/lib/x86_64-linux-gnu"
    for directory in [libraries, root + "/lib64", root + "/etc"] {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }
    let system = [
      (libraries + "/libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6"),
      (root + "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"),
    ]
    for (copy, file) in system {
      try await workspace.install(copy, from: file)
    }
    try await workspace.install(root + "/loader", from: try #require(Luci.loader))
    try await workspace.library("root/libpreload.so", "search-plain.c", flags: ["-DVALUE=2"])
    try await workspace.library("root/lib/libplain.so", "search-plain.c", flags: ["-DVALUE=1"])
    if withPreload {
      try workspace.replace(
        root + "/etc/ld.so.preload", content: Data("/libpreload.so # a comment\n".utf8))
    }
    for interpreter in ["/lib64/ld-linux-x86-64.so.2", "/loader"] {
      try await workspace.run(
        "gcc",
        ["-o", root + "/program", Luci.source("search.c"), "-L" + root + "/lib", "-lplain"]
          + ["-Wl,-rpath,$ORIGIN/lib", "-Wl,--dynamic-linker=" + interpreter])
      let commands = [["/program"]] + (interpreter == "/loader" ? [["/loader", "/program"]] : [])
      for command in commands {
        let program = try RunningProgram(in: workspace, ["chroot", root] + command)
        #expect(try await program.end() == .exit(0), "\(interpreter) \(program.seen)")
        #expect(program.seen.output == (withPreload ? "2\n" : "1\n"))
        #expect(program.seen.errors == "")
      }
    }
  }
}
