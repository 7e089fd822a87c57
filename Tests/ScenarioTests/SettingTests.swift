import Foundation
import Testing

/// Settings whose effect only a program that runs can show.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct SettingTests {
  let workspace = try! Workspace()

  private func outcome(_ command: [String], _ environment: [String: String] = [:]) async throws -> Outcome {
    let program = try RunningProgram(
      in: workspace, ["env"] + environment.map { "\($0.key)=\($0.value)" }.sorted() + command)
    let ending = try await program.end()
    return Outcome(output: program.seen.output, errors: program.seen.errors, ending: ending)
  }

  // MARK: Start-up

  @Test(arguments: Start.luci)
  func showWhatTheProgramGets(start: Start) async throws {
    let path = try await workspace.compile("program", "hello.c", start: start)
    let command = (start == .direct ? [try #require(Luci.loader)] : []) + [path, "one", "two words"]
    let environment = ["LD_SHOW_ARGS": "1", "LD_SHOW_ENV": "1", "HERE": "there"]
    let lines = try await outcome(command, environment).output.split(separator: "\n")
    #expect(Array(lines.prefix(3)) == ["ARGV[0]: \(path)", "ARGV[1]: one", "ARGV[2]: two words"])
    #expect(lines.contains("HERE=there") && lines.contains("LD_SHOW_ENV=1"))
    let quiet = try await outcome(command, ["LD_SHOW_ARGS": "", "LD_SHOW_ENV": ""])
    #expect(!quiet.output.contains("ARGV") && !quiet.output.contains("LANG="))
  }

  @Test func libraryConfiguration() async throws {
    try await workspace.library("libplain.so", "search-plain.c", flags: ["-DVALUE=1"])
    let path = try await workspace.compile("program", "search.c", flags: ["-lplain"])
    let elsewhere = workspace.file("else where")
    try FileManager.default.createDirectory(atPath: elsewhere, withIntermediateDirectories: false)
    try workspace.rename(workspace.file("libplain.so"), over: elsewhere + "/libplain.so")
    let file = workspace.file("libpath.conf")
    try Data("# libraries\n\nrelative\n  \(elsewhere)  \r\n/nowhere".utf8).write(to: URL(fileURLWithPath: file))
    let command = [try #require(Luci.loader), path]
    #expect(try await outcome(command).ending == .exit(127))
    #expect(try await outcome(command, ["LD_LIBRARY_CONF": file]).output == "1\n")
    // The program's own directories come first.
    try await workspace.library("libplain.so", "search-plain.c", flags: ["-DVALUE=2"])
    #expect(try await outcome(command, ["LD_LIBRARY_CONF": file]).output == "2\n")
    // Whoever may write to it chooses libraries.
    try workspace.remove(workspace.file("libplain.so"))
    chmod(file, 0o666)
    let refused = try await outcome(command, ["LD_LIBRARY_CONF": file])
    #expect(refused.ending == .exit(127) && refused.errors.contains("libpath.conf not used"), "\(refused)")
    let missing = try await outcome(command, ["LD_LIBRARY_CONF": file + "x"])
    #expect(missing.ending == .exit(127) && missing.errors.contains("libpath.confx not used: "), "\(missing)")
  }

  @Test func excludedLibrary() async throws {
    let loader = try #require(Luci.loader)
    try await workspace.library("libsecond.so", "orderlib.c", flags: ["-DNAME=second", "-DRESULT=2"])
    try await workspace.library(
      "libfirst.so", "orderlib.c",
      flags: ["-DNAME=first", "-DRESULT=1", "-Wl,--no-as-needed", "-lsecond"])
    let path = try await workspace.compile(
      "program", "order.c", flags: ["-Wl,--no-as-needed", "-lfirst", "-lsecond"])
    let list = { (names: String) in try await outcome([loader, "--list", path], ["LD_EXCLUDE": names]).output }
    #expect(try await list("").contains("libsecond.so"))
    let without = try await list("libother.so;libsecond.so")
    #expect(without.contains("libfirst.so") && !without.contains("libsecond.so"))
    // What was asked for by name is loaded all the same.
    let preloaded = try await outcome(
      [loader, path], ["LD_EXCLUDE": "libsecond.so", "LD_PRELOAD": workspace.file("libsecond.so")])
    #expect(preloaded.output.contains("constructor of second") && preloaded.ending == .exit(6), "\(preloaded)")
  }

  @Test func pathOfTheLoader() async throws {
    let loader = try #require(Luci.loader)
    let path = try await workspace.compile("program", "linkmap.c")
    #expect(try await outcome([loader, path]).output.contains(loader + "\n"))
    let named = try await outcome([loader, path], ["LD_PATH": "/opt/luci/ld-luci.so"])
    #expect(named.output.contains("/opt/luci/ld-luci.so\n") && !named.output.contains(loader))
  }

  /// Every call is looked up, with whatever arguments it has.
  @Test func lookUpAtEachCall() async throws {
    try await workspace.library("libcalls.so", "calls.c", flags: ["-DLIBRARY"])
    let subject = Subject.compiled(in: workspace, "calls.c", flags: ["-lcalls", "-Wl,-z,lazy"])
    for value in ["0", "1"] {
      try await subject.compare(environment: ["LD_BIND_NOT": value == "0" ? "" : "1"])
      let command = [try #require(Luci.loader), subject.path]
      let traced = try await outcome(command, ["LD_BIND_NOT": value, "LD_DEBUG": "bindings"])
      let bindings = traced.errors.split(separator: "\n").count { $0.contains("normal symbol `calls_sum'") }
      #expect(bindings == (value == "0" ? 1 : 3), "\(traced)")
      let now = try await outcome(command, ["LD_BIND_NOT": value, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"])
      #expect(now.errors.split(separator: "\n").count { $0.contains("normal symbol `calls_sum'") } == 1)
    }
  }

  @Test func missingFunctionIsToldAtItsCall() async throws {
    try await workspace.library("libplain.so", "plain.c")
    let path = try await workspace.compile("program", "uses-plain.c", flags: ["-lplain", "-Wl,-z,lazy"])
    try await workspace.library("libplain.so", "plain.c", flags: ["-DWITHOUT_EXTRA"])
    let result = try await outcome([try #require(Luci.loader), path], ["LD_BIND_NOT": "1"])
    #expect(result.output == "before\n" && result.ending == .exit(127))
    #expect(result.errors.contains("symbol lookup error") && result.errors.contains("plain_extra"))
  }

  @Test func strongSymbolsBeforeWeakOnes() async throws {
    let weak = "-DLINKAGE=__attribute__((weak))"
    try await workspace.library("libfirst.so", "weak.c", flags: ["-DLIBRARY", "-DVALUE=1", weak])
    try await workspace.library("libsecond.so", "weak.c", flags: ["-DLIBRARY", "-DVALUE=2", "-DLINKAGE="])
    let subject = Subject.compiled(
      in: workspace, "weak.c", flags: ["-Wl,--no-as-needed", "-lfirst", "-lsecond"])
    #expect(try await subject.compare().output == "1\n")
    #expect(try await subject.compare(environment: ["LD_DYNAMIC_WEAK": "1"]).output == "2\n")
  }

  // MARK: Sources

  /// File, then environment, then options; an empty value counts as not set. In a mount namespace of its own, since
  /// the file has one place.
  @Test(.enabled(if: Luci.canMount, "no mount namespaces here"))
  func orderOfSources() async throws {
    let directory = workspace.file("prefix")
    try FileManager.default.createDirectory(atPath: directory + "/luci", withIntermediateDirectories: true)
    try await workspace.library("libplain.so", "search-plain.c", flags: ["-DVALUE=1"])
    let path = try await workspace.compile("program", "search.c", flags: ["-lplain"])
    let lines = "# comment\nLD_SHOW_ARGS=1\nLD_LOGLEVEL = 3\nLD_NOT_KNOWN=1\n"
    try Data(lines.utf8).write(to: URL(fileURLWithPath: directory + "/luci/ld-luci.conf"))
    try Data("/x\n\(directory)\n".utf8).write(to: URL(fileURLWithPath: directory + "/luci/libpath.conf"))
    try workspace.rename(workspace.file("libplain.so"), over: directory + "/libplain.so")
    let loader = try #require(Luci.loader)
    func run(_ environment: [String: String], _ options: [String] = []) async throws -> Outcome {
      let script = "mount --bind \"$0\" /opt && exec \"$@\""
      let variables = environment.map { "\($0.key)=\($0.value)" }
      return try await outcome(
        ["unshare", "-rm", "sh", "-c", script, directory, "env"] + variables + [loader] + options + [path])
    }
    let plain = try await run([:])
    #expect(plain.output == "ARGV[0]: \(path)\n1\n", "\(plain)")
    #expect(plain.errors.contains("unknown line in the configuration file"))
    #expect(try await run(["LD_LOGLEVEL": "0"]).errors.isEmpty)
    #expect(try await run(["LD_LOGLEVEL": ""]).errors == plain.errors)
    #expect(try await run(["LD_LOGLEVEL": "0"], ["--loglevel=3"]).errors == plain.errors)
    #expect(try await run([:], ["--loglevel", "0"]).errors.isEmpty)
  }
}

/// Settings that decide about updates.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct UpdateSettingTests {
  let workspace = try! Workspace()
  static let library = "libsetting.so"

  private func version(_ version: String, _ flags: [String] = [], as name: String = library) async throws -> String {
    try await workspace.library(
      "versions/\(version)/\(name)", "setting-lib.c", flags: ["-DVERSION=\"\(version)\""] + flags)
  }

  private func start(_ environment: [String: String], _ flags: [String] = []) async throws -> RunningProgram {
    try workspace.replace(workspace.file(Self.library), with: try await version("one", flags))
    let program = try await Subject.compiled(in: workspace, "setting.c", flags: ["-lsetting", "-pthread"])
      .start(.direct, environment: environment, status: true)
    #expect(try await ask(program, "version") == "one")
    return program
  }

  private func ask(_ program: RunningProgram, _ command: String) async throws -> String {
    let count = program.seen.lines.count
    try program.send(command + "\n")
    return try await program.wait(for: "an answer to \(command)") {
      $0.lines.count > count ? String($0.lines[count]) : nil
    }
  }

  private func update(_ program: RunningProgram, to file: String) async throws {
    let count = program.seen.updates(of: Self.library)
    try workspace.replace(workspace.file(Self.library), with: file)
    try await program.wait(for: "the update") { $0.updates(of: Self.library) > count ? true : nil }
  }

  private func refusal(_ program: RunningProgram, of file: String) async throws -> StatusLine {
    let count = program.seen.refusals(of: Self.library).count
    try workspace.replace(workspace.file(Self.library), with: file)
    return try await program.wait(for: "a refusal") { $0.refusals(of: Self.library).dropFirst(count).first }
  }

  @Test(arguments: ["0", "1"])
  func openedObjects(value: String) async throws {
    let opened = "libopened.so"
    let first = try await version("one", ["-DOPENED"], as: opened)
    let second = try await version("two", ["-DOPENED"], as: opened)
    try workspace.replace(workspace.file(opened), with: first)
    let program = try await start(["LD_DYNAMIC_DLUPDATE": value])
    #expect(try await ask(program, "open \(workspace.file(opened))") == "open")
    try workspace.replace(workspace.file(opened), with: second)
    // Changed later, and so taken in the same update or a later one.
    try await update(program, to: try await version("two"))
    #expect(try await ask(program, "opened") == (value == "1" ? "two" : "one"))
    #expect(try await program.end() == .exit(0))
  }

  /// A pointer in the program's data.
  @Test(arguments: ["0", "1"])
  func changedPointer(value: String) async throws {
    let program = try await start(["LD_RELOCATE_CHECK": value])
    #expect(try await ask(program, "pointer") == "one")
    try await update(program, to: try await version("two"))
    #expect(try await ask(program, "pointer") == "two")
    #expect(try await ask(program, "change") == "changed")
    try await update(program, to: try await version("three"))
    #expect(try await ask(program, "pointer") == (value == "1" ? "mine" : "three"))
    #expect(try await program.end() == .exit(0))
  }

  /// A thread that never leaves the first version.
  @Test(arguments: ["0", "1"])
  func callsOfOldCode(value: String) async throws {
    let program = try await start(["LD_RELOCATE_OUTDATED": value])
    for name in ["two", "three"] {
      try await update(program, to: try await version(name))
      let before = try await ask(program, "stayed").split(separator: " ").last.flatMap { Int($0) } ?? 0
      var words: [Substring] = []
      repeat {
        words = try await ask(program, "stayed").split(separator: " ")
      } while (words.last.flatMap { Int($0) } ?? 0) < before + 2
      #expect(words.first == (value == "1" ? name[...] : "one"))
      #expect(try await ask(program, "version") == name)
    }
    #expect(try await program.end() == .exit(0))
  }

  @Test func modificationTime() async throws {
    let two = try await version("two")
    let program = try await start(["LD_USE_MTIME": "1"])
    try await workspace.run("touch", ["-r", workspace.file(Self.library), two])
    let same = workspace.unused("same")
    try await workspace.run("cp", ["-p", two, same])
    try workspace.rename(same, over: workspace.file(Self.library))
    let line = try await program.wait(for: "a line") { $0.status.first { $0.word == "IGNORED" } }
    #expect(line.reason == "new version has same modification time")
    #expect(try await ask(program, "version") == "one")
    try await update(program, to: try await version("three"))
    #expect(try await program.end() == .exit(0))
  }

  /// Levels of what may differ: an init function, initial data.
  @Test(arguments: [0, 1, 2])
  func relaxedChecks(level: Int) async throws {
    let program = try await start(["LD_RELAX_CHECK": "\(level)"], ["-DSET_UP=1", "-DCONTENT=1"])
    let initialised = try await version("two", ["-DSET_UP=2", "-DCONTENT=1"])
    let filled = try await version("three", ["-DSET_UP=1", "-DCONTENT=2"])
    for (file, needed, cause) in [(initialised, 1, "constructor-changed"), (filled, 2, "state-content")] {
      if level >= needed {
        try await update(program, to: file)
      } else {
        #expect(try await refusal(program, of: file).reason == "new version is incompatible")
        #expect(program.seen.errors.contains(cause))
      }
    }
    #expect(try await ask(program, "version") == ["one", "two", "three"][level])
    #expect(try await program.end() == .exit(0))
  }

  /// A function that a constructor calls has changed.
  @Test(arguments: ["0", "1"])
  func dependencies(value: String) async throws {
    let program = try await start(["LD_DEPENDENCY_CHECK": value], ["-DCALLED=1"])
    let two = try await version("two", ["-DCALLED=2"])
    if value == "0" {
      try await update(program, to: two)
    } else {
      _ = try await refusal(program, of: two)
      #expect(program.seen.errors.contains("constructor-changed"))
    }
    #expect(try await program.end() == .exit(0))
  }

  /// The names of what is in the way, of a stripped library, are in a file of their own.
  @Test(arguments: ["0", "1"])
  func namesOfDebugFiles(value: String) async throws {
    let root = workspace.file("debug")
    func strip(_ file: String) async throws {
      let text = try await outputOf("readelf", ["-n", file])
      let id = try #require(text.firstMatch(of: #/Build ID: ([0-9a-f]+)/#)).1
      let directory = "\(root)/.build-id/\(id.prefix(2))"
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      try await workspace.run("objcopy", ["--only-keep-debug", file, "\(directory)/\(id.dropFirst(2)).debug"])
      try await workspace.run("strip", [file])
    }
    let program = try await start(
      ["LD_DEBUG_SYMBOLS": value, "LD_DEBUG_SYMBOLS_ROOT": root], ["-DCONTENT=1"])
    // The one in use is read again when it is first compared.
    let used = workspace.unused("used")
    try FileManager.default.copyItem(atPath: workspace.file(Self.library), toPath: used)
    try await strip(used)
    let two = try await version("two", ["-DCONTENT=2"])
    try await strip(two)
    try await update(program, to: try await version("three", ["-DCONTENT=1"]))
    try workspace.replace(workspace.file(Self.library), with: used)
    try await program.wait(for: "the stripped one") { $0.updates(of: Self.library) == 2 ? true : nil }
    _ = try await refusal(program, of: two)
    #expect(program.seen.errors.contains("initial content of content (") == (value == "1"), "\(program.seen)")
    #expect(try await program.end() == .exit(0))
  }

  private func outputOf(_ tool: String, _ arguments: [String]) async throws -> String {
    let program = try RunningProgram(in: workspace, [tool] + arguments)
    try await program.end()
    return program.seen.output
  }
}
