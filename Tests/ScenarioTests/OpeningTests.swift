import Foundation
import Testing

/// dlopen, dlclose and what goes with them do what they do under the system's loader.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct OpeningTests {
  let workspace = try! Workspace()

  private func library(_ name: String, _ flags: [String] = []) async throws {
    try await workspace.compile(
      "lib\(name).so", "opening-lib.c", flags: ["-shared", "-fPIC", "-DNAME=\(name)", "-Wl,--no-as-needed"] + flags)
  }

  /// The libraries that opening.c expects.
  private func libraries() async throws {
    let file = workspace.file
    try await library("a", ["-Wl,-soname,libsoname-of-a.so"])
    for link in ["link.so", "libsoname-of-a.so"] {
      try FileManager.default.createSymbolicLink(atPath: file(link), withDestinationPath: "liba.so")
    }
    try FileManager.default.linkItem(atPath: file("liba.so"), toPath: file("hard.so"))
    try FileManager.default.createDirectory(atPath: file("other"), withIntermediateDirectories: false)
    try workspace.replace(file("other/liba.so"), with: file("liba.so"))
    try await library("b", ["-DCALLS=a_next", file("liba.so")])
    try await library("cycle2")
    try await library("cycle1", [file("libcycle2.so")])
    try await library("cycle2", [file("libcycle1.so")])
    try await library("stay")
    try await library("keep", ["-Wl,-z,nodelete"])
    try await library("deep", ["-DWHICH=1"])
    try await library("shallow", ["-DWHICH=2"])
    try await library("gone")
    try await library("needy", [file("libgone.so")])
    try workspace.remove(file("libgone.so"))
    try await library("undefined", ["-DLACKS=nobody_has_it", "-Wl,-z,lazy"])
    try await library("undefined2", ["-DLACKS=nobody_has_it", "-Wl,-z,lazy", file("liba.so")])
    try await library("variable", ["-DLACKS_VARIABLE=nobody_has_that"])
    try await library("nested", ["-DNESTED"])
    try await library("user", ["-DCALLS=a_next", "-Wl,-z,lazy"])
    for version in ["V1", "V2"] {
      let script = file("\(version).map")
      try Data("\(version) { global: version_next; };\n".utf8).write(to: URL(fileURLWithPath: script))
      try await library("version", ["-Wl,--version-script=" + script])
      if version == "V1" {
        try await library("user", ["-DCALLS=version_next", file("libversion.so"), "-o", file("libversion-user.so")])
      }
    }
    try await library("user", ["-DCALLS=a_next", "-Wl,-z,lazy"])
    try workspace.replace(file("empty.so"), content: Data())
    try workspace.replace(file("garbage.so"), content: Data(repeating: 0x78, count: 5000))
    try workspace.replace(file("text.so"), content: Data("text\n".utf8))
    try await workspace.compile("program-pie", "hello.c")
  }

  @Test func wholeFamily() async throws {
    try await libraries()
    let subject = Subject.compiled(in: workspace, "opening.c", flags: ["-rdynamic", "-pthread"])
    let reference = try await subject.compare([workspace.path])
    #expect(reference.ending == .exit(0))
    #expect(reference.output.contains("-- end\n"))
  }

  /// Objects that the C library's loader brings and takes away again.
  @Test func librariesOfTheHost() async throws {
    let library = try await workspace.library("opened/libcos.so", "hostopen-lib.c", flags: ["-fno-builtin", "-lm"])
    let reference = try await Subject.compiled(in: workspace, "hostopen.c").compare([library])
    #expect(reference.ending == .exit(0))
    #expect(reference.output.contains("plugin: 1\n"))
  }

  @Test func uniqueSymbols() async throws {
    let first = try await workspace.library("opened/libfirst.so", "unique-lib.cpp")
    let second = try await workspace.library("opened/libsecond.so", "unique-lib.cpp")
    let reference = try await Subject.compiled(in: workspace, "unique.cpp").compare([first, second])
    #expect(reference.output.contains("one variable: 1\n"))
    #expect(reference.output.contains("another namespace: 1 3, closed: 0\n"))
  }

  /// A plugin that was replaced goes as a whole: its destructor runs, and what is opened then is new. As often as that.
  @Test(arguments: Start.luci)
  func closedAfterUpdates(start: Start) async throws {
    var versions: [String] = []
    for version in ["one", "two", "three"] {
      versions.append(
        try await workspace.library(
          "\(version)/libclosing.so", "closing-lib.cpp", flags: ["-DVERSION=\"\(version)\""]))
    }
    let library = workspace.file("libclosing.so")
    try workspace.replace(library, with: versions[0])
    let subject = Subject.compiled(in: workspace, "closing.c")
    let program = try await subject.start(start, [library], status: true)
    var expected: [Substring] = []
    func ask(_ commands: String, _ answers: Substring...) async throws {
      expected += answers
      try program.send(commands)
      let count = expected.count
      try await program.wait(for: "\(answers)") { $0.lines.count >= count ? true : nil }
      #expect(program.seen.lines == expected)
    }
    // Whatever the constructor needs is there from the first time on.
    try await ask("oc", "constructed", "opened", "destructed", "closed 0")
    try program.send("l")
    expected.append(
      try await program.wait(for: "a number of objects") { $0.lines.count == 5 ? $0.lines.last : nil })
    let objects = try #require(expected.last)
    for _ in 0..<3 {
      try await ask("on", "constructed", "opened", "one 1")
      for (index, name) in ["two", "three", "two", "one"].enumerated() {
        let updates = program.seen.updates(of: "libclosing.so")
        try workspace.replace(library, with: versions[["one", "two", "three"].firstIndex(of: name) ?? 0])
        try await program.wait(for: "version \(name)") {
          $0.updates(of: "libclosing.so") > updates ? true : nil
        }
        try await ask("n", Substring("\(name) \(index + 2)"))
      }
      try await ask("cl", "destructed", "closed 0", objects)
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.lines == expected + ["end"])
  }

  /// Its update waits for an object that the plugin itself has: with the plugin both are gone.
  @Test(arguments: Start.luci)
  func closedWhileItsUpdateWaits(start: Start) async throws {
    let names = ["one", "two"]
    var versions: [String] = []
    for name in names {
      let flags = ["-DVERSION=\"\(name)\"", "-DRECORD"] + (name == "two" ? ["-DGROWN"] : [])
      versions.append(try await workspace.library("\(name)/libclosing.so", "closing-lib.cpp", flags: flags))
    }
    let library = workspace.file("libclosing.so")
    let subject = Subject.compiled(in: workspace, "closing.c")
    try workspace.replace(library, with: versions[0])
    let program = try await subject.start(start, [library], environment: ["LD_LAYOUT_HOLD": "0"], status: true)
    func ask(_ commands: String, _ answers: Substring...) async throws {
      let before = program.seen.lines.count
      try program.send(commands)
      try await program.wait(for: "\(answers)") { $0.lines.count >= before + answers.count ? true : nil }
      #expect(Array(program.seen.lines.dropFirst(before)) == answers, "\(program.seen)")
    }
    for round in 0..<3 {
      let (old, new) = (names[round % 2], versions[(round + 1) % 2])
      let refusals = program.seen.refusals(of: "libclosing.so").count
      try await ask("on", "constructed", "opened", Substring("\(old) 1"))
      try workspace.replace(library, with: new)
      try await program.wait(for: "a line that says why") {
        $0.refusals(of: "libclosing.so").count > refusals ? true : nil
      }
      try await ask("nc", Substring("\(old) 2"), "destructed", "closed 0")
    }
    try await ask("onc", "constructed", "opened", "two 1", "destructed", "closed 0")
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.updates(of: "libclosing.so") == 0)
  }

  /// A library comes and goes while its file is replaced.
  @Test(arguments: Start.luci)
  func reopenedWhileReplaced(start: Start) async throws {
    var versions: [String] = []
    for version in ["one", "two", "three"] {
      versions.append(
        try await workspace.library(
          "\(version)/libreopened.so", "reopening-lib.c", flags: ["-DVERSION=\"\(version)\""]))
    }
    let library = workspace.file("libreopened.so")
    try workspace.replace(library, with: versions[0])
    let subject = Subject.compiled(in: workspace, "reopening.c", flags: ["-pthread"])
    let program = try await subject.start(start, [library], environment: ["LD_SETTLE_TIME": "1"], status: true)
    for _ in 0..<6 {
      for (index, name) in ["one", "two", "three"].enumerated() {
        try workspace.replace(library, with: versions[index])
        try await program.wait(for: name) { $0.versions.last == name ? true : nil }
        // The file's change is looked at while the library comes and goes.
        let count = program.seen.lines.count { $0 == "again" }
        try program.send("?")
        try await program.wait(for: "more openings") { $0.lines.count { $0 == "again" } > count ? true : nil }
      }
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
    #expect(program.seen.lines.last == "end")
  }
}
