import ArgumentParser
import BeanTool
import Foundation

extension BeanCommand {
  struct DebugHash: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "debug-hash",
      abstract: "A hash over the layout of all types that variables and exported functions lead to.",
      subcommands: [File.self, Serve.self], defaultSubcommand: File.self)

    struct File: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "file", abstract: "Of one file, from its debug information or that of its separate debug file.")

      @Argument(help: "A library or a debug file.", completion: .file())
      var file: String
      @OptionGroup var options: CommonOptions

      func run() throws { try Output.end { try DebugHashTool.run(file, options.tool) } }
    }

    struct Serve: ParsableCommand {
      static let configuration = CommandConfiguration(
        abstract: "Answer loaders that are started with LD_DEBUG_HASH.",
        discussion: """
          A question is a line with a build-id in hexadecimal, the answer a line "hash HEX", or "unknown". Ends with \
          SIGINT or SIGTERM.
          """)

      @Option(
        name: [.short, .long], help: "unix:/path, tcp:HOST:PORT or udp:HOST:PORT; more than once for several.",
        transform: { (text) in
          guard let address = SocketAddress(text) else { throw ValidationError("'\(text)' is no address.") }
          return address
        })
      var listen: [SocketAddress]
      @Option(name: [.short, .long], help: "Keep hashes in this directory.", completion: .directory)
      var cache: String?
      @Option(
        name: [.customShort("b"), .customLong("debug-root")], help: "Search debug files below this directory.",
        completion: .directory)
      var root: String?
      @Argument(
        help: "Libraries and debug files that are not in a system's place, or directories of such.",
        completion: .file())
      var paths: [String] = []

      func validate() throws {
        if listen.isEmpty { throw ValidationError("--listen is needed.") }
      }

      func run() throws {
        try Output.end {
          let service = try DebugHashService(root: root, cache: cache, paths: paths)
          let server = try DebugHashServer(service, listen)
          Stop.install()
          Output.note("listening at \(listen.map(\.description).joined(separator: ", "))")
          server.run { Stop.isWanted }
          server.close()
          return ToolResult()
        }
      }
    }
  }
}

/// SIGINT and SIGTERM end the server in an orderly way, so that its socket file goes.
private enum Stop {
  nonisolated(unsafe) private static var wanted: sig_atomic_t = 0
  static var isWanted: Bool { wanted != 0 }

  static func install() {
    for number in [SIGINT, SIGTERM] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { _ in Stop.wanted = 1 }
      sigaction(number, &action, nil)
    }
  }
}
