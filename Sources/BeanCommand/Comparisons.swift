import ArgumentParser
import BeanTool

extension BeanCommand {
  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "The running loader's verdict: exit 0 applicable, 1 refused, 2 error.")

    @OptionGroup var files: TwoFiles
    @Flag(name: .long, help: "One JSON document.")
    var json = false

    func run() throws { try Output.end { CheckTool.run(files.old, files.new, isJSON: json) } }
  }

  struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "What changed, by name: exit 0 the same, 1 different, 2 error.")

    @OptionGroup var files: TwoFiles
    @OptionGroup var options: CommonOptions

    func run() throws { try Output.end { try DiffTool.run(files.old, files.new, options.tool) } }
  }

  struct DiffStat: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "diffstat", abstract: "How much changed, as JSON, with the verdict.")

    @OptionGroup var files: TwoFiles
    @OptionGroup var options: CommonOptions

    func run() throws { try Output.end { try DiffStatTool.run(files.old, files.new, options.tool) } }
  }

  struct Map: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Which old function or variable became which: kept, moved, grown, changed, new, gone.")

    @OptionGroup var files: TwoFiles
    @OptionGroup var options: CommonOptions

    func run() throws { try Output.end { try MapTool.run(files.old, files.new, options.tool) } }
  }

  struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Many versions of one library: what changed from each to the next, and where a restart is needed.",
      discussion: "Exit 0: no step needs a restart, 1: some does, 2: error.")

    @Argument(
      help: "A directory with a file or a directory for each version, or files, oldest first.", completion: .file())
    var paths: [String]
    @Option(name: .long, help: "Write one self-contained page to this file.", completion: .file(extensions: ["html"]))
    var html: String?
    @OptionGroup var options: CommonOptions

    func run() throws {
      try Output.end {
        let (result, page) = try CompareTool.run(paths, options.tool)
        if let html { try Output.write(page, to: html) }
        return result
      }
    }
  }
}
