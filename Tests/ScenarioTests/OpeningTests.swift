import Foundation
import Testing

/// dlopen, dlclose and what goes with them do what they do under the system's loader.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(3)))
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
}
