import ArgumentParser
import BeanTool

extension BeanCommand {
  struct Hash: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Each function and variable with its hashes: its own, and that of what it refers to.")

    @Argument(help: "An ELF64 x86-64 shared object or executable.", completion: .file())
    var file: String
    @OptionGroup var options: CommonOptions

    func run() throws { try Output.end { try HashTool.run(file, options.tool) } }
  }

  struct FindDebug: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "find-debug",
      abstract: "The separate debug file, by build-id or debug link: exit 0 found, 1 not found, 2 error.")

    @Argument(help: "A stripped ELF file.", completion: .file())
    var file: String
    @OptionGroup var options: CommonOptions

    func run() throws { try Output.end { try FindDebugTool.run(file, options.tool) } }
  }
}
