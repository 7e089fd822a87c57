import Foundation
import Testing

/// Programs compiled for other C libraries than the machine's: one loader serves them all, each with its own host.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct CLibraryTests {
  let workspace = try! Workspace()

  @Test(
    arguments: CLibrary.available,
    [
      ["hello.c"], ["initial.c", "one", "two words"], ["libc.c"], ["processes.c"], ["ends.c", "exit"],
      ["ends.c", "pthread_exit"], ["ends.c", "thread"], ["ends.c", "caught"],
    ])
  func programs(library: CLibrary, call: [String]) async throws {
    let ways = call[0] == "processes.c" ? [Start.interpreter] : Start.luci
    try await library.subject(workspace, [call[0]])
      .compare(Array(call.dropFirst()), ways: ways)
  }

  @Test(arguments: CLibrary.available.filter { $0 == .trixie })
  func cPlusPlus(library: CLibrary) async throws {
    let reference = try await library.subject(workspace, ["exceptions.cpp", "throwing.cpp"])
      .compare()
    #expect(reference.output.contains("caught one of libstdc++"))
  }

  @Test(arguments: CLibrary.available)
  func threadLocalStorage(library: CLibrary) async throws {
    try await library.compile(workspace, "libtls.so", ["tlslib.c"])
    try await library.compile(workspace, "libtls2.so", ["tlslib.c"], flags: ["-DSECOND"])
    let opened = try await library.compile(workspace, "opened/libtls3.so", ["tlslib.c"], flags: ["-DOPENED"])
    let reference = try await library.subject(workspace, ["tls.c"], flags: ["-ltls", "-ltls2"])
      .compare([opened])
    #expect(reference.ending == .exit(0))
  }

  @Test(arguments: CLibrary.available)
  func copyRelocations(library: CLibrary) async throws {
    try await library.compile(workspace, "libcopied.so", ["copied.c"])
    let reference = try await library.subject(
      workspace, ["copies.c"], flags: ["-no-pie", "-fno-pic", "-lcopied"]
    ).compare()
    #expect(reference.output.contains("one variable"))
  }

  @Test(arguments: CLibrary.available.filter { $0 != .musl })
  func dlopenFamily(library: CLibrary) async throws {
    try await library.compile(workspace, "libplain.so", ["plain.c"])
    let plugin = try await library.compile(
      workspace, "plugins/libplugin.so", ["plain.c"], flags: ["-DPLUGIN", "-lplain"])
    let reference = try await library.subject(workspace, ["dlfcn.c"], flags: ["-rdynamic", "-lplain"])
      .compare([plugin])
    #expect(reference.output.contains("plugin: 4018\n"))
  }

  /// musl's own dlfcn functions say some things otherwise; what programs do with them works all the same.
  @Test(.enabled(if: CLibrary.available.contains(.musl)))
  func dlopenFamilyWithMusl() async throws {
    try await CLibrary.musl.compile(workspace, "libplain.so", ["plain.c"])
    let plugin = try await CLibrary.musl.compile(
      workspace, "plugins/libplugin.so", ["plain.c"], flags: ["-DPLUGIN", "-lplain"])
    let subject = CLibrary.musl.subject(workspace, ["dlfcn.c"], flags: ["-rdynamic", "-lplain"])
    for way in Start.luci {
      let outcome = try await subject.outcome(way, [plugin])
      #expect(outcome.ending == .exit(0))
      for line in ["plugin: 4018", "local: hidden", "again: the same handle", "dlinfo: 0 libplugin.so", "libm: 1"] {
        #expect(outcome.output.contains(line + "\n"), "\(outcome)")
      }
    }
  }

  /// glibc calls Luci's finaliser; musl has none and gets it through the stand-in. Either way, each destructor runs
  /// once, after what atexit(3) registered.
  @Test(arguments: CLibrary.available)
  func destructorsRunOnce(library: CLibrary) async throws {
    try await library.compile(workspace, "libsecond.so", ["destructors-lib.c"], flags: ["-DNAME=\"second\""])
    try await library.compile(
      workspace, "libfirst.so", ["destructors-lib.c"],
      flags: ["-DNAME=\"first\"", "-Wl,--no-as-needed", "-lsecond"])
    let subject = library.subject(workspace, ["destructors.c"], flags: ["-Wl,--no-as-needed", "-lfirst", "-lsecond"])
    for way in Start.luci {
      let outcome = try await subject.outcome(way)
      let end = outcome.output.components(separatedBy: "main\n").dropFirst().joined(separator: "main\n")
      #expect(
        end == """
          atexit of main
          destructor of the executable
          destructor of first
          destructor of second

          """, "\(outcome)")
      #expect(outcome.ending == .exit(6))
    }
  }

  /// The folder of a C library is enough: its loader is the one beside the libc that the search finds, although the
  /// program names the machine's.
  @Test(arguments: CLibrary.available.filter { $0 != .musl })
  func libraryPathChoosesTheHost(library: CLibrary) async throws {
    let loader = try #require(Luci.loader)
    let path = try await library.compile(
      workspace, "program", ["which-libc.c"], interpreter: "/lib64/ld-linux-x86-64.so.2")
    let folder = library.directories.joined(separator: ":")
    let program = try RunningProgram(
      in: workspace, [loader, "--inhibit-rpath", "", "--library-path", folder, path])
    let version = library == .bullseye ? "2.31" : "2.41"
    #expect(try await program.end() == .exit(0))
    #expect(program.seen.output == "glibc \(version)\n", "\(program.seen)")
  }

  /// After setinterp, a program for musl is known by what it needs.
  @Test(.enabled(if: CLibrary.available.contains(.musl) && Luci.setinterp != nil))
  func muslAfterSetinterp() async throws {
    let setinterp = try #require(Luci.setinterp)
    let loader = try #require(Luci.loader)
    let path = try await CLibrary.musl.compile(
      workspace, "program", ["hello.c"], interpreter: CLibrary.musl.loader)
    try await workspace.run(setinterp, [path, loader])
    let program = try RunningProgram(in: workspace, [path])
    #expect(try await program.end() == .exit(0))
    #expect(program.seen.output == "hello\n")
  }
}
