import ArgumentParser
import Bean
import BeanTool
import Foundation

@main
struct BeanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bean",
    abstract: "Tell what changed between two binaries, and whether a running program can take the new one.",
    subcommands: [
      Check.self, Diff.self, DiffStat.self, Map.self, Graph.self, Compare.self, Hash.self, DebugHash.self,
      FindDebug.self,
    ])

  /// As the default does, but that wrong usage is an error like others: exit code 2, as diff(1) and cmp(1) have it.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      let code = exitCode(for: error)
      if code == .validationFailure {
        Output.complain(fullMessage(for: error))
        exit(withError: ExitCode(2))
      }
      exit(withError: error)
    }
  }
}

/// Options that all commands have in common.
struct CommonOptions: ParsableArguments {
  @Flag(name: [.customShort("r"), .long], help: "Resolve bindings to symbols that the file defines itself.")
  var resolve = false

  @Flag(name: [.customShort("R"), .long], help: "Rebuild what the linker relaxed: both forms count as one.")
  var rebuild = false

  @Flag(name: [.short, .long], help: "Include dependencies: hashes over all that is referred to.")
  var dependencies = false

  @Flag(name: [.customShort("s"), .long], help: "Use symbols of separate debug files.")
  var debugSymbols = false

  @Option(
    name: [.customShort("b"), .customLong("debug-root")], help: "Search debug files below this directory.",
    completion: .directory)
  var root: String?

  @Flag(name: [.short, .customLong("keep-empty")], help: "Keep symbols without a size.")
  var keepEmpty = false

  @Flag(
    name: [.customShort("i"), .customLong("relax")],
    help: "Allow other references in constants; twice: in all data; three times: everywhere.")
  var relax: Int

  @Flag(
    name: [.short, .long],
    help: "Names and places; twice: disassembly with masked parts; three times: references, too.")
  var verbose: Int

  @Flag(name: .long, help: "One JSON document.")
  var json = false

  var tool: ToolOptions {
    var options = ToolOptions()
    options.items.resolves = resolve
    options.items.rebuilds = rebuild
    options.items.keepsEmpty = keepEmpty
    options.includesDependencies = dependencies
    options.usesDebugSymbols = debugSymbols || root != nil
    options.root = root
    options.relaxation = min(relax, 3)
    options.verbosity = min(verbose, 3)
    options.isJSON = json
    // https://no-color.org; a terminal that can't show colours calls itself dumb.
    let environment = ProcessInfo.processInfo.environment
    options.usesColours =
      isatty(STDOUT_FILENO) == 1 && environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
    return options
  }
}

/// Two files that every comparison takes.
struct TwoFiles: ParsableArguments {
  @Argument(help: "The version that is in use.", completion: .file())
  var old: String

  @Argument(help: "The version that is to take its place.", completion: .file())
  var new: String
}

enum Output {
  /// Writes the result and ends with its exit code; errors are one line and code 2.
  static func end(_ body: () throws -> ToolResult) throws -> Never {
    do {
      let result = try body()
      write(result.text.bytes, to: STDOUT_FILENO)
      throw ExitCode(result.code)
    } catch let error as ToolError {
      complain("bean: \(error)")
      throw ExitCode(2)
    }
  }

  static func complain(_ text: String) { write(Array("\(text)\n".utf8), to: STDERR_FILENO) }

  /// For people and scripts that wait for it; at once, whatever standard output is.
  static func note(_ line: String) { write(Array("\(line)\n".utf8), to: STDOUT_FILENO) }

  static func write(_ text: Text, to path: String) throws {
    do { try Data(text.bytes).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
      throw ToolError("\(path): can't be written")
    }
  }

  /// A reader that has gone away is no error: the rest is not wanted.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    signal(SIGPIPE, SIG_IGN)
    bytes.withUnsafeBytes { (buffer) in
      guard let base = buffer.baseAddress else { return }
      var written = 0
      while written < buffer.count {
        let count = Foundation.write(descriptor, base + written, buffer.count - written)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return }
        written += count
      }
    }
  }
}
