import Foundation
import Testing

/// Where libraries are found: the same file as under the system's loader.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct SearchTests {
  let workspace = try! Workspace()

  /// libplain.so in a directory, with a value that tells which.
  private func plain(_ directory: String, _ value: Int) async throws {
    try await workspace.library(directory + "/libplain.so", "search-plain.c", flags: ["-DVALUE=\(value)"])
  }

  private func subject(_ flags: [String]) -> Subject {
    Subject(workspace: workspace, path: workspace.file("program")) { [workspace] start in
      var arguments = ["-O1", "-o", workspace.file("program"), Luci.source("search.c")] + flags
      if start == .interpreter { arguments.append("-Wl,--dynamic-linker=" + Luci.loader!) }
      try await workspace.run("gcc", arguments)
    }
  }

  @Test(arguments: ["$ORIGIN/a", "${ORIGIN}/a", "$ORIGIN/nothing:$ORIGIN/a/../a", "$ORIGINAL:a"])
  func origin(runpath: String) async throws {
    try await plain("a", 1)
    let subject = subject(["-L" + workspace.file("a"), "-lplain", "-Wl,-rpath," + runpath])
    #expect(try await subject.compare().output == "1\n")
  }

  @Test func orderOfRpathLibraryPathRunpath() async throws {
    try await plain("a", 1)
    try await plain("b", 2)
    for tags in ["--enable-new-dtags", "--disable-new-dtags"] {
      let subject = subject(["-L" + workspace.file("a"), "-lplain", "-Wl,-rpath,\(workspace.file("a")),\(tags)"])
      let reference = try await subject.compare(environment: ["LD_LIBRARY_PATH": workspace.file("b")])
      #expect(reference.output == (tags == "--enable-new-dtags" ? "2\n" : "1\n"))
    }
  }

  /// DT_RPATH of the executable serves for what its libraries need; DT_RUNPATH does not.
  @Test(arguments: ["--enable-new-dtags", "--disable-new-dtags"])
  func inheritedRpath(tags: String) async throws {
    try await plain("a", 1)
    try await workspace.run(
      "gcc",
      ["-shared", "-fPIC", "-o", workspace.file("a/libmiddle.so"), Luci.source("search-middle.c")]
        + ["-L" + workspace.file("a"), "-lplain", "-Wl,-soname,libmiddle.so"])
    let subject = subject([
      "-DMIDDLE", "-L" + workspace.file("a"), "-lmiddle", "-Wl,-rpath-link," + workspace.file("a"),
      "-Wl,-rpath,\(workspace.file("a")),\(tags)",
    ])
    let reference = try await subject.compare()
    #expect(reference.ending == .exit(tags == "--disable-new-dtags" ? 0 : 127))
  }

  /// A library with versions of its own that was linked without what it needs asks for no version: the index of its
  /// base version, which the linker writes there, names none.
  @Test func unversionedReferenceOfAVersionedLibrary() async throws {
    let script = workspace.file("script")
    for name in ["plain", "middle"] {
      try "\(name.uppercased())_1 { global: *; };".write(toFile: script, atomically: true, encoding: .utf8)
      try await workspace.library(
        "a/lib\(name).so", "search-\(name).c", flags: ["-DVALUE=1", "-Wl,--version-script=" + script])
    }
    let subject = subject([
      "-DMIDDLE", "-L" + workspace.file("a"), "-Wl,--no-as-needed", "-lmiddle", "-lplain",
      "-Wl,-rpath," + workspace.file("a"),
    ])
    #expect(try await subject.compare().ending == .exit(0))
  }

  /// The best subdirectory for this processor counts, as the system's loader tells it.
  @Test(arguments: ["x86-64-v2", "x86-64-v3", "x86-64-v4"])
  func hardwareSubdirectories(level: String) async throws {
    try await plain("a", 1)
    try await plain("a/glibc-hwcaps/" + level, 2)
    let subject = subject(["-L" + workspace.file("a"), "-lplain", "-Wl,-rpath," + workspace.file("a")])
    try await subject.compare()
    try await plain("a/glibc-hwcaps/x86-64-v2", 3)
    try await subject.compare(environment: ["LD_LIBRARY_PATH": workspace.file("a")])
  }

  @Test func withoutDefaultDirectories() async throws {
    let subject = subject(["-DNOTHING", "-Wl,-z,nodefaultlib", "-Wl,--no-as-needed", "-lz"])
    // glibc's message lacks the reason, here.
    for way in [Start.system] + Start.luci {
      let outcome = try await subject.outcome(way)
      #expect(outcome.ending == .exit(127))
      #expect(outcome.errors.contains("libz.so.1: cannot open shared object file"))
    }
  }
}
