import ArgumentParser
import BeanTool

extension BeanCommand {
  struct Graph: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "The call graph in Graphviz' dot language; of two versions with changes marked.")

    @Argument(help: "One file, or an old and a new version.", completion: .file())
    var files: [String]
    @Flag(name: [.customShort("e"), .long], help: "Draw symbols of other objects, too.")
    var external = false
    @Flag(name: .long, help: "Draw data, too.")
    var data = false
    @Flag(name: [.customShort("c"), .long], help: "Of two versions only what changed and what is next to it.")
    var changes = false
    @OptionGroup var options: CommonOptions

    func validate() throws {
      guard files.count == 1 || files.count == 2 else {
        throw ValidationError("One file or two, not \(files.count).")
      }
      if changes && files.count == 1 { throw ValidationError("--changes needs two files.") }
    }

    func run() throws {
      var content = GraphTool.Content()
      (content.includesExternal, content.includesData, content.changesOnly) = (external, data, changes)
      try Output.end {
        if files.count == 1 { return try GraphTool.run(files[0], options.tool, content) }
        return try GraphTool.run(files[0], files[1], options.tool, content)
      }
    }
  }
}
