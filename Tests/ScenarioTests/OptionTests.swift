import Foundation
import Testing

/// Options and variables of the system's loader.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct OptionTests {
  let workspace = try! Workspace()
  static let systemLoader = "/lib64/ld-linux-x86-64.so.2"

  private func run(_ command: [String], _ environment: [String: String] = [:]) async throws -> Outcome {
    // Not in the environment of what starts it, which has a loader of its own.
    let variables = environment.map { "\($0.key)=\($0.value)" }
    let program = try RunningProgram(in: workspace, variables.isEmpty ? command : ["env"] + variables + command)
    let ending = try await program.end()
    return Outcome(output: program.seen.output, errors: program.seen.errors, ending: ending)
  }

  private func withoutAddresses(_ text: String) -> String {
    text.replacing(/\(0x[0-9a-f]+\)/, with: "(ADDRESS)")
  }

  /// program → libfirst.so → libsecond.so → libc; program → libm, libc.
  private func chain() async throws -> String {
    try await workspace.library("libsecond.so", "orderlib.c", flags: ["-DNAME=second", "-DRESULT=2"])
    try await workspace.library(
      "libfirst.so", "orderlib.c",
      flags: ["-DNAME=first", "-DRESULT=1", "-DNEEDS=second", "-lsecond"])
    return try await workspace.compile(
      "program", "order.c", flags: ["-Wl,--no-as-needed", "-lfirst", "-lm", "-lsecond"])
  }

  @Test(arguments: [false, true])
  func list(isLibraryMissing: Bool) async throws {
    let loader = try #require(Luci.loader)
    let path = try await chain()
    if isLibraryMissing { try workspace.remove(workspace.file("libsecond.so")) }
    let trace = ["LD_TRACE_LOADED_OBJECTS": "1"]
    let reference = try await run([path], trace)
    #expect(reference.output.contains("libsecond.so => \(isLibraryMissing ? "not found" : workspace.path)"))
    for command in [[loader, "--list", path], [loader, path]] {
      let outcome = try await run(command, command.count == 2 ? trace : [:])
      #expect(withoutAddresses(outcome.output) == withoutAddresses(reference.output))
      #expect(outcome.ending == .exit(0))
      #expect(!outcome.output.contains("(0x0000000000000000)"))
    }
    try await workspace.compile(
      "program", "order.c", flags: ["-Wl,--no-as-needed", "-lfirst", "-lm", "-Wl,--unresolved-symbols=ignore-all"],
      start: .interpreter)
    let outcome = try await run([path], trace)
    #expect(outcome.output.contains("linux-vdso.so.1 (0x") && outcome.output.contains("libfirst.so => "))
  }

  @Test(arguments: ["/bin/bash", "/usr/bin/python3", "/usr/bin/curl", "/usr/bin/gdb"].filter { Luci.exists($0) })
  func listOfInstalledPrograms(path: String) async throws {
    let loader = try #require(Luci.loader)
    let reference = try await run([Self.systemLoader, "--list", path])
    let outcome = try await run([loader, "--list", path])
    #expect(withoutAddresses(outcome.output) == withoutAddresses(reference.output))
  }

  @Test func verify() async throws {
    let loader = try #require(Luci.loader)
    let library = try await workspace.library("libplain.so", "plain.c")
    let isStatic = try await workspace.compile("static", "hello.c", flags: ["-static"])
    for path in ["/bin/true", library, isStatic, "/etc/passwd", "/there/is/nothing"] {
      let reference = try await run([Self.systemLoader, "--verify", path])
      let outcome = try await run([loader, "--verify", path])
      #expect(outcome.ending == reference.ending, "\(path)")
      #expect(outcome.output == "")
    }
  }

  @Test func inhibitRpath() async throws {
    let loader = try #require(Luci.loader)
    try await workspace.library("libplain.so", "plain.c")
    let path = try await workspace.compile("program", "uses-plain.c", flags: ["-lplain"])
    for list in ["", workspace.file("libplain.so")] {
      let reference = try await run([Self.systemLoader, "--inhibit-rpath", list, path])
      let outcome = try await run([loader, "--inhibit-rpath", list, path])
      #expect(outcome.ending == reference.ending)
      #expect(outcome.output == reference.output)
    }
  }

  @Test func bindNow() async throws {
    try await workspace.library("libplain.so", "plain.c")
    let subject = Subject(workspace: workspace, path: workspace.file("program")) { [workspace] start in
      try await workspace.library("libplain.so", "plain.c")
      try await workspace.compile("program", "uses-plain.c", flags: ["-lplain", "-Wl,-z,lazy"], start: start)
      try await workspace.library("libplain.so", "plain.c", flags: ["-DWITHOUT_EXTRA"])
    }
    let lazy = try await subject.compare()
    let reference = try await subject.compare(environment: ["LD_BIND_NOW": "1"])
    #expect(reference.ending == .exit(127))
    #expect(reference.output != lazy.output, "the missing function only counts at its call, otherwise")
  }

  @Test func showAuxv() async throws {
    let path = try await workspace.compile("program", "hello.c", start: .interpreter)
    let names = { (outcome: Outcome) in
      outcome.output.split(separator: "\n").map { $0.prefix { $0 != ":" } }
    }
    let reference = try await run(["/bin/true"], ["LD_SHOW_AUXV": "1"])
    let outcome = try await run([path], ["LD_SHOW_AUXV": "1"])
    #expect(names(outcome).dropLast() == names(reference)[...])
    for type in ["AT_PAGESZ: ", "AT_HWCAP: ", "AT_PHENT: ", "AT_SECURE: ", "AT_PLATFORM: "] {
      let line = { (outcome: Outcome) in outcome.output.split(separator: "\n").first { $0.hasPrefix(type) } }
      #expect(line(outcome) == line(reference))
    }
  }

  // MARK: LD_DEBUG

  @Test func debugHelp() async throws {
    let path = try await workspace.compile("program", "hello.c", start: .interpreter)
    let outcome = try await run([path], ["LD_DEBUG": "help"])
    #expect(outcome.output.hasPrefix("Valid options for the LD_DEBUG environment variable are:\n"))
    #expect(outcome.ending == .exit(0))
  }

  /// Each kind has lines that the system's loader has, too, and none of another kind's.
  @Test(arguments: [
    ("libs", "find library=libplain.so [0]; searching"), ("files", "file=libplain.so [0];  needed by PROGRAM [0]"),
    ("reloc", "relocation processing: LIBRARY"),
    ("symbols", "symbol=plain_value;  lookup in file=PROGRAM [0]"),
    ("bindings", "binding file PROGRAM [0] to LIBRARY [0]: normal symbol `plain_value'"),
    ("versions", "checking for version `GLIBC_2.2.5' in file CLIB [0] required by file PROGRAM [0]"),
    ("statistics", "runtime linker statistics:"),
  ])
  func debug(kind: String, line: String) async throws {
    let library = try await workspace.library("libplain.so", "plain.c")
    let path = workspace.file("program")
    let expected = line.replacing("PROGRAM", with: path).replacing("LIBRARY", with: library)
      .replacing("CLIB", with: "/lib/x86_64-linux-gnu/libc.so.6")
    for start in [Start.system, .interpreter] {
      try await workspace.compile("program", "uses-plain.c", flags: ["-lplain", "-Wl,-z,now"], start: start)
      for word in kind == "statistics" ? [kind] : [kind, "all"] {
        let outcome = try await run([path], ["LD_DEBUG": word])
        let lines = outcome.errors.split(separator: "\n").map { $0.drop { $0 != "\t" }.dropFirst() }
        #expect(lines.contains { $0.hasPrefix(expected) }, "\(start) \(word): \(outcome)")
        #expect(outcome.ending == .exit(0))
      }
      let other = try await run([path], ["LD_DEBUG": kind == "versions" ? "statistics" : "versions"])
      #expect(!other.errors.contains(expected))
    }
  }

  @Test func debugOutput() async throws {
    let path = try await workspace.compile("program", "hello.c", start: .interpreter)
    let program = try RunningProgram(
      in: workspace, ["env", "LD_DEBUG=libs", "LD_DEBUG_OUTPUT=" + workspace.file("debug"), path])
    #expect(try await program.end() == .exit(0))
    let text = String(decoding: try workspace.contents(workspace.file("debug.\(program.pid)")), as: UTF8.self)
    #expect(text.contains("find library=libc.so.6 [0]; searching"))
    #expect(program.seen.errors == "and an error\n")
  }

  /// ld.so.cache serves dlopen as well, after start-up gave its mapping back.
  @Test func cacheServesDlopen() async throws {
    let source = workspace.file("opens.c")
    let text = """
      #include <dlfcn.h>
      int main(void) { return dlopen("libz.so.1", RTLD_NOW) != 0 ? 0 : 1; }
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: source))
    let path = try await workspace.compile("opens", source)
    let program = try RunningProgram(
      in: workspace, ["env", "LD_DEBUG=libs", try #require(Luci.loader), path])
    #expect(try await program.end() == .exit(0))
    let tail = program.seen.errors.components(separatedBy: "find library=libz.so.1").last ?? ""
    #expect(tail.contains("search cache=/etc/ld.so.cache"), "\(program.seen)")
  }
}
