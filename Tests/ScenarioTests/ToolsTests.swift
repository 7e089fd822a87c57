import Foundation
import Testing

/// Allocators that are preloaded, sanitizers, valgrind and perf with a program under Luci.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .timeLimit(.minutes(10)))
struct ToolsTests {
  let workspace = try! Workspace()
  static let libraries = "/usr/lib/x86_64-linux-gnu/"
  static let allocators = ["libjemalloc.so.2", "libtcmalloc_minimal.so.4"].map { libraries + $0 }

  @Test(arguments: [[], ["-fno-pie", "-no-pie"]])
  func ownAllocator(flags: [String]) async throws {
    let allocator = try await workspace.library("liballocator.so", "strict-allocator.c")
    let subject = Subject.compiled(in: workspace, "allocating.c", flags: flags + ["-pthread"])
    let reference = try await subject.compare(environment: ["LD_PRELOAD": allocator])
    #expect(reference.ending == .exit(3))
  }

  @Test(
    .enabled(if: !allocators.filter { Luci.exists($0) }.isEmpty, "neither jemalloc nor tcmalloc is installed"),
    arguments: allocators.filter { Luci.exists($0) }, ["-fpie", "-fno-pie"])
  func installedAllocator(allocator: String, flag: String) async throws {
    let subject = Subject.compiled(in: workspace, "allocating.c", flags: [flag, "-" + flag.dropFirst(2), "-pthread"])
    let reference = try await subject.compare(environment: ["LD_PRELOAD": allocator])
    #expect(reference.ending == .exit(3))
    for path in ["/usr/bin/python3", "/usr/bin/node"] where Luci.exists(path) {
      let code = path.hasSuffix("node") ? ["-p", "[1, 2].map(x => x * 21)"] : ["-c", "print(sorted([2, 1]))"]
      try await Subject.installed(in: workspace, path).compare(
        code, ways: [.direct], environment: ["LD_PRELOAD": allocator])
    }
  }

  /// What the sanitizer says, without addresses and process ids.
  private func summary(_ text: String) -> [String] {
    text.split(separator: "\n").filter { $0.contains("SUMMARY:") || $0.contains("is located ") }.map {
      String($0.replacing(/0x[0-9a-f]+|==[0-9]+==|\[0x.*\)/, with: "N"))
    }
  }

  @Test(arguments: ["gcc", "clang"])
  func addressSanitizer(compiler: String) async throws {
    let source = Luci.source("allocating.c")
    let path = workspace.file("program")
    var reference: [Outcome] = []
    for start in [Start.system] + Start.luci {
      var arguments = ["-g", "-fsanitize=address", "-o", path, source, "-pthread"]
      if start == .interpreter, let loader = Luci.loader { arguments.append("-Wl,--dynamic-linker=" + loader) }
      do { try await workspace.run(compiler, arguments) } catch {
        // Without the compiler or its run-time library there is nothing to be tried.
        if compiler == "clang" { return }
        throw error
      }
      let subject = Subject(workspace: workspace, path: path) { _ in }
      let outcomes = [try await subject.outcome(start), try await subject.outcome(start, ["overflow"])]
      if start == .system { reference = outcomes }
      #expect(outcomes[0] == reference[0], "\(start): \(outcomes[0])")
      #expect(outcomes[1].ending == reference[1].ending, "\(start): \(outcomes[1])")
      #expect(summary(outcomes[1].errors) == summary(reference[1].errors), "\(start): \(outcomes[1])")
      #expect(summary(outcomes[1].errors).count > 1)
    }
  }

  // MARK: valgrind, perf

  /// As installed: valgrind takes the DWARF 5 of the build for corrupted.
  private func strippedLoader() async throws -> String {
    let loader = workspace.file("ld-luci.so")
    try await workspace.run("strip", ["-g", "-o", loader, try #require(Luci.loader)])
    return loader
  }

  /// The program as it is started in each way with that loader.
  private func commands(_ loader: String) async throws -> [[String]] {
    let path = try await workspace.compile("plain", "allocating.c", flags: ["-pthread"])
    let changed = try await workspace.compile(
      "changed", "allocating.c", flags: ["-pthread", "-Wl,--dynamic-linker=" + loader])
    return [[path], [loader, path], [changed]]
  }

  private func run(_ command: [String]) async throws -> Outcome {
    let program = try RunningProgram(in: workspace, command)
    let ending = try await program.end(atMost: .seconds(120))
    return Outcome(output: program.seen.output, errors: program.seen.errors, ending: ending)
  }

  @Test(.enabled(if: Luci.exists("/usr/bin/valgrind"), "valgrind is not installed"))
  func memcheck() async throws {
    for command in try await commands(try await strippedLoader()) {
      let check = ["valgrind", "-q", "--leak-check=full", "--error-exitcode=44"] + command
      let sound = try await run(check)
      #expect(sound.ending == .exit(3), "\(command): \(sound)")
      #expect(sound.errors == "", "\(command)")
      let broken = try await run(check + ["overflow"])
      #expect(broken.ending == .exit(44), "\(command): \(broken)")
      #expect(broken.errors.contains("Invalid write of size 1") && broken.errors.contains("main (allocating.c:"))
      #expect(broken.errors.contains("0 bytes after a block of size 10 alloc'd"), "\(broken)")
    }
  }

  @Test(.enabled(if: Luci.exists("/usr/bin/valgrind"), "valgrind is not installed"))
  func callgrind() async throws {
    for (index, command) in try await commands(try await strippedLoader()).enumerated() {
      let file = workspace.file("callgrind.\(index)")
      let outcome = try await run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + file] + command)
      #expect(outcome.ending == .exit(3), "\(outcome)")
      let profile = String(decoding: try workspace.contents(file), as: UTF8.self)
      #expect(profile.contains(") main\n") && profile.contains(") _int_malloc\n"), "\(command)")
    }
  }

  /// Names of the program's functions, and of its libraries', in a profile.
  @Test(.enabled(if: Luci.exists("/usr/bin/perf"), "perf is not installed"))
  func perf() async throws {
    let loader = try #require(Luci.loader)
    let path = try await workspace.compile("plain", "busy.c")
    let changed = try await workspace.compile("changed", "busy.c", flags: ["-Wl,--dynamic-linker=" + loader])
    for command in [[path], [loader, path], [changed]] {
      let file = workspace.file("perf.data")
      let record = try await run(["perf", "record", "-q", "-e", "cpu-clock", "-o", file] + command)
      // Containers forbid it.
      if command == [path], record.ending != .exit(0) { return }
      #expect(record.ending == .exit(0), "\(record)")
      let report = try await run(["perf", "report", "-i", file, "--stdio", "--sort", "symbol"])
      #expect(report.output.contains(" busy_loop"), "\(command): \(report)")
    }
  }
}
