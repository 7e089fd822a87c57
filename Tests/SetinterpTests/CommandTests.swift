import Foundation
import Testing

@testable import InterpCore

/// The command as users call it.
@Suite struct CommandTests {
  private let workshop: Workshop
  private let program: String
  private let luci = "/lib64/ld-luci.so"

  init() throws {
    workshop = try Workshop()
    guard let program = try workshop.compile("-pie -fPIE") else { throw Workshop.Failure(text: "no gcc") }
    self.program = program
  }

  /// Names in the directory: nothing temporary may stay.
  private func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: workshop.directory).sorted()
  }

  @Test func showChangeRestore() throws {
    let before = try workshop.read(program)
    #expect(try workshop.setinterp(program) == .init(status: 0, output: Workshop.loader + "\n", errors: ""))
    #expect(
      try workshop.setinterp("-v", program).output
        == "\(Workshop.loader)\nno original interpreter is remembered\n")
    let loader = try workshop.loaderCopy()
    #expect(try workshop.setinterp(program, loader) == .init(status: 0, output: "", errors: ""))
    #expect(try workshop.setinterp("-v", program).output == "\(loader)\noriginal: \(Workshop.loader)\n")
    #expect(try workshop.shell("exec \"$1\"", program).status == 7)
    #expect(try workshop.setinterp("--restore", program) == .init(status: 0, output: "", errors: ""))
    #expect(try workshop.read(program) == before)
    #expect(try workshop.setinterp("--restore", program).status == 1)
    #expect(try names() == [(loader as NSString).lastPathComponent, "program"])
  }

  @Test func warnsButDoes() throws {
    let missing = try workshop.setinterp(program, "/not/there.so")
    #expect(missing.status == 0)
    #expect(missing.errors == "setinterp: warning: /not/there.so: No such file or directory\n")
    let relative = try workshop.setinterp(program, "lib/ld.so")
    #expect(relative.status == 0)
    #expect(relative.errors.hasPrefix("setinterp: warning: lib/ld.so: not an absolute path"))
    #expect(try workshop.interpreter(program) == "lib/ld.so")
  }

  @Test func errorsAreOneLine() throws {
    let text = workshop.path("text")
    try "#!/bin/sh\necho no ELF file, but a file long enough for an ELF header\n".write(
      toFile: text, atomically: true, encoding: .utf8)
    guard let fixed = try workshop.compile("-static", name: "static") else { return }
    let cut = try workshop.write(Array(try workshop.read(program).prefix(3000)), to: "cut")
    let narrow = try workshop.write(try workshop.read(program).with(1, at: 4), to: "narrow")
    try workshop.shell("mkfifo fifo")
    let cases = [
      (text, "invalid ELF header"), (fixed, "statically linked"), (cut, "lies outside the file"),
      (narrow, "wrong ELF class"), (workshop.path("missing"), "No such file or directory"),
      (workshop.directory, "Is a directory"), (workshop.path("fifo"), "not a regular file"),
    ]
    for (file, reason) in cases {
      for arguments in [[file], [file, luci], ["--restore", file]] {
        let outcome =
          arguments.count == 1
          ? try workshop.setinterp(arguments[0]) : try workshop.setinterp(arguments[0], arguments[1])
        #expect(outcome.status == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.hasPrefix("setinterp: \(file): "))
        #expect(outcome.errors.contains(reason))
        #expect(outcome.errors.split(separator: "\n").count == 1)
      }
    }
  }

  @Test func usageErrors() throws {
    #expect(try workshop.setinterp().status == 64)
    #expect(try workshop.setinterp("--restore", program, luci).status == 64)
    #expect(try workshop.setinterp("-o", "x", program).status == 64)
    #expect(try workshop.setinterp(program, "").status == 64)
    #expect(try workshop.setinterp("--unknown", program).status == 64)
    #expect(try workshop.setinterp("--help").status == 0)
  }

  @Test func outputFile() throws {
    let before = try workshop.read(program)
    chmod(program, 0o4751)
    let out = workshop.path("out")
    #expect(try workshop.setinterp(program, luci, "-o", out).status == 0)
    #expect(try workshop.read(program) == before)
    #expect(try workshop.interpreter(out) == luci)
    #expect(try workshop.shell("stat -c %a out").output == "4751\n")
    #expect(try workshop.setinterp("--restore", out, "-o", "back").status == 0)
    #expect(try workshop.read(workshop.path("back")) == before)
    #expect(try workshop.setinterp(program, luci, "-o", program).status == 0)
    #expect(try workshop.interpreter(program) == luci)
    let nowhere = try workshop.setinterp(program, luci, "-o", "no/such/directory")
    #expect(nowhere.status == 1)
    #expect(nowhere.errors.hasSuffix("setinterp: no/such/directory: No such file or directory\n"))
    #expect(try names() == ["back", "out", "program"])
  }
}
