import Foundation
import Testing

/// A program started by Luci shows what it shows under the system's loader: same output, errors and end.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct StartupTests {
  let workspace = try! Workspace()

  @Test func hello() async throws {
    let reference = try await Subject.compiled(in: workspace, "hello.c").compare()
    #expect(reference == Outcome(output: "hello\n", errors: "and an error\n", ending: .exit(0)))
  }

  @Test func loadedLibrariesAreReported() async throws {
    try await workspace.library("libplain.so", "plain.c")
    let subject = Subject.compiled(in: workspace, "uses-plain.c", flags: ["-lplain"])
    for way in Start.luci {
      let program = try await subject.start(way, status: true)
      #expect(try await program.end() == .exit(0))
      let line = try #require(program.seen.status.first { $0.name == "libplain.so" })
      #expect(line.isLoad)
      #expect(line.path == workspace.file("libplain.so"))
      #expect(line.pid == Int(program.pid))
    }
  }

  @Test(arguments: [[], ["one"], ["", "two words", "--", "-x", "é"], (1...300).map { "argument \($0)" }])
  func initialStack(arguments: [String]) async throws {
    let environment = ["EMPTY": "", "A": "b=c", "LONG": String(repeating: "x", count: 50_000)]
    let reference = try await Subject.compiled(in: workspace, "initial.c")
      .compare(arguments, environment: environment)
    #expect(!reference.output.contains("wrong"))
  }

  @Test func optionsEndBeforeTheProgram() async throws {
    let loader = try #require(Luci.loader)
    let path = try await workspace.compile("program", "initial.c")
    for command in [[loader, "--", path, "a"], [loader, path, "--", "a"]] {
      let program = try RunningProgram(in: workspace, command)
      #expect(try await program.end() == .exit(2))
      #expect(program.seen.output.contains("argv[1] 'a'\n"))
    }
  }

  @Test func exceptions() async throws {
    try await workspace.library("libthrowing.so", "throwing.cpp")
    let reference = try await Subject.compiled(in: workspace, "exceptions.cpp", flags: ["-lthrowing", "-pthread"])
      .compare()
    #expect(reference.ending == .exit(0))
  }

  @Test(arguments: [[], ["-ftls-model=initial-exec"], ["-mtls-dialect=gnu2"], ["-O0"]])
  func threadLocalStorage(flags: [String]) async throws {
    try await workspace.library("libtls.so", "tlslib.c", flags: flags)
    try await workspace.library("libtls2.so", "tlslib.c", flags: flags + ["-DSECOND"])
    try await workspace.library("opened/libtls3.so", "tlslib.c", flags: ["-DOPENED"])
    let subject = Subject.compiled(in: workspace, "tls.c", flags: ["-ltls", "-ltls2", "-pthread"])
    let reference = try await subject.compare()
    #expect(reference.ending == .exit(0))
    try await subject.compare([workspace.file("opened/libtls3.so")])
  }

  @Test(arguments: [[], ["-Wl,-z,now"], ["-fno-plt"]])
  func copyRelocations(flags: [String]) async throws {
    try await workspace.library("libcopied.so", "copied.c")
    let reference = try await Subject.compiled(
      in: workspace, "copies.c", flags: ["-no-pie", "-fno-pic", "-lcopied"] + flags
    ).compare()
    #expect(reference.output.contains("one variable") && reference.output.contains("one function"))
  }

  @Test(arguments: [[], ["quick"], ["_exit"]])
  func constructorsAndDestructors(arguments: [String]) async throws {
    let entries = ["-Wl,-init,_traditional_init", "-Wl,-fini,_traditional_fini"]
    try await workspace.library("libsecond.so", "orderlib.c", flags: ["-DNAME=second", "-DRESULT=2"] + entries)
    try await workspace.library(
      "libfirst.so", "orderlib.c",
      flags: ["-DNAME=first", "-DRESULT=1", "-DNEEDS=second", "-lsecond"] + entries)
    let reference = try await Subject.compiled(in: workspace, "order.c", flags: ["-lfirst", "-lsecond"])
      .compare(arguments)
    #expect(reference.output.contains("main\n"))
  }

  @Test func symbols() async throws {
    try await workspace.library("libsymbols.so", "symbolslib.c")
    for flags in [["-Wl,-z,lazy"], ["-Wl,-z,now"], ["-Wl,--hash-style=sysv"]] {
      try await Subject.compiled(in: workspace, "symbols.c", flags: ["-lsymbols"] + flags).compare()
    }
  }

  @Test func dlopenFamily() async throws {
    try await workspace.library("libplain.so", "plain.c")
    try await workspace.library("plugins/libplugin.so", "plain.c", flags: ["-DPLUGIN", "-lplain"])
    let subject = Subject.compiled(in: workspace, "dlfcn.c", flags: ["-rdynamic", "-lplain"])
    let reference = try await subject.compare([workspace.file("plugins/libplugin.so")])
    #expect(reference.ending == .exit(0))
    #expect(reference.output.contains("plugin: 4018\n"))
  }

  @Test func whatTheCLibraryLoadsItself() async throws {
    let reference = try await Subject.compiled(in: workspace, "libc.c", flags: ["-pthread"]).compare()
    #expect(reference.output.contains("cancelled: yes"))
  }

  @Test func processes() async throws {
    let reference = try await Subject.compiled(in: workspace, "processes.c", flags: ["-pthread"])
      .compare(ways: [.interpreter])
    #expect(reference.ending == .exit(9))
  }

  @Test(
    arguments: [
      "return", "exit", "_exit", "abort", "term", "segv", "fpe", "pthread_exit", "thread", "caught", "none",
    ])
  func ends(way: String) async throws {
    try await Subject.compiled(in: workspace, "ends.c", flags: ["-pthread"]).compare([way])
  }

  /// A library that defines versions, and refers to another's symbol without one: the index of such references is that
  /// of its own base version. (libtheoraenc of Debian 12, without which ffmpeg does not start.)
  @Test func referenceWithoutVersionFromLibraryWithVersions() async throws {
    for (name, version, flags) in [("base", "FIRST", []), ("use", "SECOND", ["-DSECOND"])] {
      let script = workspace.file(name + ".map")
      try workspace.replace(script, content: Data("\(version)_1 { global: *; };\n".utf8))
      try await workspace.library(
        "lib\(name).so", "base-lib.c", flags: flags + ["-Wl,--version-script," + script])
    }
    let reference = try await Subject.compiled(
      in: workspace, "base.c", flags: ["-Wl,--no-as-needed", "-luse", "-lbase"]
    ).compare()
    #expect(reference.output == "42\n")
  }

  @Test(arguments: ["-Wl,--enable-new-dtags", "-Wl,--disable-new-dtags"])
  func dlinfo(tags: String) async throws {
    let libraries = [
      try await workspace.library("sub/libplain.so", "plain.c", flags: [tags, "-Wl,-rpath,$ORIGIN/here:/nowhere/"]),
      try await workspace.library("libtls.so", "tlslib.c"),
    ]
    let subject = Subject.compiled(in: workspace, "search-info.c", flags: [tags])
    let reference = try await subject.compare(
      libraries, environment: ["LD_LIBRARY_PATH": "/tmp/:\(workspace.path)"])
    #expect(reference.ending == .exit(0))
    #expect(reference.output.contains("  \(workspace.path)/sub/here 0\n  /nowhere 0\n"))
    #expect(reference.output.contains("  -1 unsupported dlinfo request\n"))
  }
}
