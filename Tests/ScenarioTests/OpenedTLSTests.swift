import Foundation
import Testing

/// Thread-local variables of libraries that are opened while threads run.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct OpenedTLSTests {
  let workspace = try! Workspace()

  @Test(
    arguments: [
      [], ["-mtls-dialect=gnu2"], ["-mtls-dialect=gnu2", "-mavx2", "-O2"], ["-O0"], ["-ftls-model=local-dynamic"],
    ])
  func inThreadsOfEveryAge(flags: [String]) async throws {
    var libraries: [String] = []
    for index in 1...3 {
      libraries.append(try await workspace.library("opened/lib\(index).so", "tls-plugin.c", flags: flags))
    }
    let reference = try await Subject.compiled(in: workspace, "tls-opened.c", flags: ["-pthread"]).compare(libraries)
    #expect(reference.ending == .exit(0))
    #expect(reference.output.contains("memory: given back"))
  }

  @Test(arguments: [[], ["-mtls-dialect=gnu2"]])
  func destructorsOfThreads(flags: [String]) async throws {
    let library = try await workspace.library("opened/lib.so", "tls-destructors-lib.cpp", flags: flags)
    let reference = try await Subject.compiled(in: workspace, "tls-destructors.cpp", flags: ["-pthread"])
      .compare([library])
    #expect(reference.output.contains("thread: destroyed after 1\n"))
    #expect(reference.output.hasSuffix("unloaded\n"))
  }

  /// Code that expects variables at a fixed distance from the thread pointer, in a process of one thread.
  @Test func atFixedDistance() async throws {
    let library = try await workspace.library(
      "opened/libtls3.so", "tlslib.c", flags: ["-DOPENED", "-ftls-model=initial-exec"])
    try await workspace.library("libtls.so", "tlslib.c")
    try await workspace.library("libtls2.so", "tlslib.c", flags: ["-DSECOND"])
    let subject = Subject.compiled(in: workspace, "tls.c", flags: ["-ltls", "-ltls2", "-pthread"])
    let reference = try await subject.compare([library])
    #expect(reference.ending == .exit(0))
  }

  /// The same in a process of several threads: in threads that run already, with initial values.
  @Test func atFixedDistanceInAllThreads() async throws {
    var libraries: [String] = []
    for index in 1...3 {
      libraries.append(
        try await workspace.library(
          "opened/lib\(index).so", "tls-initial-lib.c", flags: ["-ftls-model=initial-exec"]))
    }
    let subject = Subject.compiled(in: workspace, "tls-initial.c", flags: ["-pthread"])
    for arguments in [libraries, [libraries[0]]] {
      let reference = try await subject.compare(arguments)
      #expect(reference.ending == .exit(0))
      #expect(reference.output.split(separator: "\n").count == 5)
    }
  }

  @Test func whatDoesNotFitIsRefused() async throws {
    let library = try await workspace.library(
      "opened/lib.so", "tls-too-large-lib.c", flags: ["-ftls-model=initial-exec"])
    let subject = Subject.compiled(in: workspace, "tls-initial.c", flags: ["-pthread"])
    let reference = try await subject.compare([library])
    #expect(reference.output == "round 0: \(library): cannot allocate memory in static TLS block\n")
  }
}
