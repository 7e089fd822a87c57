import Foundation
import Testing

/// What can't be started fails with the words and exit status that scripts know from the system's loader.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct StartupErrorTests {
  let workspace = try! Workspace()

  @Test func missingLibrary() async throws {
    let library = try await workspace.library("libplain.so", "plain.c")
    let subject = Subject(workspace: workspace, path: workspace.file("program")) { [workspace] start in
      try await workspace.library("libplain.so", "plain.c")
      try await workspace.compile("program", "uses-plain.c", flags: ["-lplain"], start: start)
      try workspace.remove(library)
    }
    let reference = try await subject.compare()
    #expect(reference.ending == .exit(127))
    #expect(
      reference.errors == """
        \(subject.path): error while loading shared libraries: libplain.so: cannot open shared object file: \
        No such file or directory

        """)
  }

  @Test(arguments: ["-Wl,-z,now", "-Wl,-z,lazy"])
  func missingSymbol(binding: String) async throws {
    let subject = Subject(workspace: workspace, path: workspace.file("program")) { [workspace] start in
      try await workspace.library("libplain.so", "plain.c")
      try await workspace.compile("program", "uses-plain.c", flags: ["-lplain", binding], start: start)
      try await workspace.library("libplain.so", "plain.c", flags: ["-DWITHOUT_EXTRA"])
    }
    let reference = try await subject.compare()
    #expect(reference.ending == .exit(127))
    #expect(
      reference.errors
        == "\(subject.path): symbol lookup error: \(subject.path): undefined symbol: plain_extra\n")
  }

  @Test func brokenLibrary() async throws {
    for content in [Data(), Data("no library".utf8), Data(repeating: 0x7f, count: 100_000)] {
      let subject = Subject(workspace: workspace, path: workspace.file("program")) { [workspace] start in
        try await workspace.library("libplain.so", "plain.c")
        try await workspace.compile("program", "uses-plain.c", flags: ["-lplain"], start: start)
        try workspace.replace(workspace.file("libplain.so"), content: content)
      }
      for way in Start.luci {
        let outcome = try await subject.outcome(way)
        #expect(outcome.ending == .exit(127))
        #expect(outcome.errors.contains("error while loading shared libraries: \(workspace.file("libplain.so")): "))
      }
    }
  }

  @Test func missingProgram() async throws {
    let loader = try #require(Luci.loader)
    let program = try RunningProgram(in: workspace, [loader, workspace.file("nothing")])
    #expect(try await program.end() == .exit(127))
    #expect(program.seen.errors.contains("nothing: cannot open shared object file: No such file or directory"))
  }

  /// A program that Luci can't serve runs plainly, with a warning.
  @Test func staticProgram() async throws {
    let subject = Subject.compiled(in: workspace, "hello.c", flags: ["-static"])
    let reference = try await subject.outcome(.system)
    let outcome = try await subject.outcome(.direct)
    #expect(outcome.output == reference.output)
    #expect(outcome.ending == reference.ending)
    #expect(outcome.errors.hasSuffix(reference.errors))
    #expect(outcome.errors != reference.errors, "no warning")
  }

  /// Each needed version of a library that has none any more is told, and is no error. (glibc's loader of Debian 12 then
  /// ends with a failed assertion, for references that name the library.)
  @Test func libraryWithoutVersions() async throws {
    let script = workspace.file("map")
    try workspace.replace(script, content: Data("V_1 { global: *; };\n".utf8))
    let program = workspace.file("program")
    for start in Start.luci {
      try await workspace.library("libplain.so", "plain.c", flags: ["-Wl,--version-script," + script])
      try await workspace.compile("program", "uses-plain.c", flags: ["-lplain"], start: start)
      let library = try await workspace.library("libplain.so", "plain.c")
      let outcome = try await Subject(workspace: workspace, path: program) { _ in }.outcome(start)
      #expect(outcome.ending == .exit(0), "\(outcome)")
      #expect(
        outcome.errors == "\(program): \(library): no version information available (required by \(program))\n")
    }
  }

  @Test func executableAsLibrary() async throws {
    let subject = Subject(workspace: workspace, path: workspace.file("program")) { [workspace] start in
      try await workspace.library("libplain.so", "plain.c")
      try await workspace.compile("program", "uses-plain.c", flags: ["-lplain"], start: start)
      try await workspace.install(workspace.file("libplain.so"), from: "/bin/true")
    }
    let reference = try await subject.compare()
    #expect(reference.ending == .exit(127))
    #expect(reference.errors.hasSuffix("libplain.so: cannot dynamically load position-independent executable\n"))
  }

  /// What can't be preloaded is passed over, and told in the same words.
  @Test func missingPreload() async throws {
    let text = workspace.file("text.so")
    try workspace.replace(text, content: Data("text".utf8))
    let subject = Subject.compiled(in: workspace, "hello.c")
    let reference = try await subject.compare(environment: ["LD_PRELOAD": "/there/is/nothing.so:\(text)"])
    #expect(reference.errors.contains("ERROR: ld.so: object '\(text)' from LD_PRELOAD cannot be preloaded ("))
    #expect(reference.ending == .exit(0))
  }
}
