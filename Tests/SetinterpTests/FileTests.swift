import CXattr
import Foundation
import Testing

@testable import InterpCore

/// What a file is besides its bytes: names, owner, mode, attributes, processes that run it.
@Suite struct FileTests {
  private let workshop: Workshop
  private let program: String
  private let long = "/a/path/that/is/longer/than/what/was/there"

  init() throws {
    workshop = try Workshop()
    guard let program = try workshop.compile("-pie -fPIE") else { throw Workshop.Failure(text: "no gcc") }
    self.program = program
  }

  private func stat(_ format: String, _ name: String = "program") throws -> String {
    try workshop.shell("stat -c \"$1\" \"$2\"", format, name).output
  }

  private func change(_ name: String = "program") throws {
    let outcome = try workshop.setinterp(name, long)
    #expect(outcome.status == 0)
    #expect(try workshop.interpreter(workshop.path(name)) == long)
  }

  @Test func symbolicLinkStays() throws {
    try workshop.shell("mkdir sub && mv program sub/ && ln -s sub/program one && ln -s one two")
    try change("two")
    #expect(try workshop.shell("readlink one; readlink two").output == "sub/program\none\n")
    #expect(try workshop.interpreter(workshop.path("sub/program")) == long)
    #expect(try workshop.shell("ls -A . sub | grep -c setinterp").output == "0\n")
  }

  @Test func hardLinksStay() throws {
    let before = try workshop.read(program)
    try workshop.shell("ln program second && chmod 4755 program")
    let inode = try stat("%i %h %a")
    for _ in 0..<2 {
      try change()
      #expect(try stat("%i %h %a") == inode)
      #expect(try workshop.interpreter(workshop.path("second")) == long)
      #expect(try workshop.setinterp("--restore", "second").status == 0)
      #expect(try workshop.read(program) == before)
      #expect(try stat("%i %h %a", "second") == inode)
    }
    #expect(try workshop.shell("ls -A").output == "program\nsecond\n")
  }

  @Test func modeAndOwner() throws {
    let isRoot = geteuid() == 0
    if isRoot { chown(program, 12345, 23456) }
    chmod(program, 0o6751)
    let expected = try stat("%a %u %g")
    try change()
    #expect(try stat("%a %u %g") == expected)
    #expect(try workshop.setinterp("--restore", program).status == 0)
    #expect(try stat("%a %u %g") == expected)
  }

  @Test(arguments: [false, true]) func attributesAndCapabilities(_ linked: Bool) throws {
    if linked { try workshop.shell("ln program second") }
    let hasUser = setxattr(program, "user.luci", "kept", 4, 0) == 0
    let hasCapability = try workshop.shell("setcap cap_net_raw=ep program").status == 0
    try change()
    var value = [UInt8](repeating: 0, count: 4)
    if hasUser { #expect(getxattr(program, "user.luci", &value, 4) == 4 && value == "kept".bytes) }
    if hasCapability { #expect(try workshop.shell("getcap program").output == "program cap_net_raw=ep\n") }
  }

  private func start(_ path: String) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = ["60"]
    try process.run()
    return process
  }

  /// SIGKILL, since a test runner may have blocked the others for its children.
  private func stop(_ process: Process) {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// One name: replaced while it runs. Several: the kernel refuses, and nothing changes.
  @Test func runningProgram() throws {
    let sleeper = try workshop.write(try workshop.read("/bin/sleep"), to: "sleeper")
    let first = try start(sleeper)
    defer { stop(first) }
    try change("sleeper")
    #expect(try workshop.setinterp("--restore", "sleeper").status == 0)

    let second = try start(sleeper)
    defer { stop(second) }
    try workshop.shell("ln sleeper other")
    let before = try workshop.read(sleeper)
    let outcome = try workshop.setinterp("sleeper", long)
    if outcome.status != 0 {
      #expect(outcome.errors.contains("sleeper: it has 2 names and has to be rewritten in place: Text file busy"))
      #expect(try workshop.read(sleeper) == before)
    }
    #expect(try workshop.shell("ls -A").output == "other\nprogram\nsleeper\n")
  }

  @Test func notWritable() throws {
    // Root writes everywhere; another user is asked instead.
    let command = try #require(try workshop.setinterpPath())
    chmod(workshop.directory, 0o755)
    chmod(program, 0o555)
    let user = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : ""
    let before = try workshop.read(program)
    try workshop.shell("cp \"$1\" ./command; chmod 755 command", command)
    let outcome = try workshop.shell("\(user)./command program \(long)")
    guard outcome.status != 126, outcome.status != 127 else { return }
    #expect(outcome.status == 1)
    #expect(outcome.errors.hasSuffix("setinterp: program: Permission denied\n"))
    #expect(try workshop.read(program) == before)
  }

  /// The directory takes no new file, but the program may be written: in place.
  @Test func directoryNotWritable() throws {
    guard geteuid() == 0 else { return }
    let command = try #require(try workshop.setinterpPath())
    try workshop.shell("cp \"$1\" ./command; chmod 755 . command; chmod 777 program", command)
    chown(program, 65534, 65534)
    let inode = try stat("%i %a %u")
    let outcome = try workshop.shell("setpriv --reuid=65534 --regid=65534 --clear-groups ./command program \(long)")
    guard outcome.status != 126, outcome.status != 127 else { return }
    #expect(outcome.status == 0)
    #expect(try workshop.interpreter(program) == long)
    #expect(try stat("%i %a %u") == inode)
  }

  /// The new file, or the copy beside a file with two names, does not fit: nothing has happened.
  @Test(arguments: [false, true]) func noSpace(_ linked: Bool) throws {
    let command = try #require(try workshop.setinterpPath())
    let before = try workshop.read(program)
    if linked { try workshop.shell("ln program second") }
    let outcome = try workshop.shell("trap '' XFSZ; ulimit -f 8; exec \"$1\" program \(long)", command)
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("setinterp: program: can't write"))
    #expect(outcome.errors.hasSuffix(": File too large\n"))
    #expect(try workshop.read(program) == before)
    #expect(try workshop.shell("ls -A").output == (linked ? "program\nsecond\n" : "program\n"))
  }

  /// In place, without a copy, and the file can't grow by as much as it has to: the old bytes are put back.
  @Test func rollBack() throws {
    guard geteuid() == 0, let lld = try workshop.compile("-fuse-ld=lld", name: "lld") else { return }
    let command = try #require(try workshop.setinterpPath())
    let plain = try workshop.read(lld)
    let blocks = plain.count / 512 + 2
    let before = plain + [UInt8](repeating: 1, count: blocks * 512 - 100 - plain.count)
    let target = try workshop.write(before, to: "target")
    try workshop.shell("cp \"$1\" ./command; chmod 755 . command", command)
    chown(target, 65534, 65534)
    let outcome = try workshop.shell(
      """
      trap '' XFSZ; ulimit -f \(blocks)
      exec setpriv --reuid=65534 --regid=65534 --clear-groups ./command target \(long)
      """)
    guard outcome.status != 126, outcome.status != 127 else { return }
    #expect(outcome.status == 1)
    #expect(outcome.errors.hasSuffix("setinterp: target: File too large\n"))
    #expect(try workshop.read(target) == before)
  }
}
