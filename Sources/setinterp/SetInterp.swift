import ArgumentParser
import InterpCore
import InterpFile

@main
struct SetInterp: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "setinterp",
    abstract: "Show, change or bring back the interpreter of a program.",
    discussion: """
      Without NEW_INTERPRETER the current interpreter is printed. With it, PT_INTERP of the program leads to that \
      path from then on, and the original interpreter is remembered inside the file.
      """)

  @Argument(help: "An ELF64 x86-64 dynamic executable.", completion: .file())
  var program: String

  @Argument(help: "The interpreter's path, as the kernel opens it.", completion: .file())
  var newInterpreter: String?

  @Flag(help: "Bring back the interpreter that was there before the first change.")
  var restore = false

  @Option(name: [.short, .long], help: "Write the result to this file and leave PROGRAM alone.")
  var output: String?

  @Flag(name: [.short, .long], help: "Tell the remembered original interpreter, and what is done.")
  var verbose = false

  func validate() throws {
    if restore, newInterpreter != nil {
      throw ValidationError("Either NEW_INTERPRETER or --restore, not both.")
    }
    if output != nil, newInterpreter == nil, !restore {
      throw ValidationError("--output needs NEW_INTERPRETER or --restore.")
    }
    if let newInterpreter, newInterpreter.isEmpty {
      throw ValidationError("NEW_INTERPRETER is empty.")
    }
  }

  func run() throws {
    do {
      let file = try TargetFile(program)
      if restore {
        try bringBack(file)
      } else if let newInterpreter {
        try change(file, to: newInterpreter)
      } else {
        try show(file)
      }
    } catch let error as FileError {
      Report.error(error.description)
      throw ExitCode.failure
    } catch let error as InterpreterError {
      Report.error("\(program): \(error.message)")
      throw ExitCode.failure
    }
  }

  private func show(_ file: TargetFile) throws {
    Report.output(try InterpreterEditor.interpreter(of: file.content))
    guard verbose else { return }
    if let original = try InterpreterEditor.original(of: file.content) {
      Report.output(Array("original: ".utf8) + original)
    } else {
      Report.output(Array("no original interpreter is remembered".utf8))
    }
  }

  private func change(_ file: TargetFile, to path: String) throws {
    let result = try InterpreterEditor.set(file.content, to: Array(path.utf8))
    if !path.hasPrefix("/") {
      Report.warning("\(path): not an absolute path: looked up from where the program is started")
    } else if let problem = TargetFile.problem(executing: path) {
      Report.warning(problem.description)
    }
    try write(result.bytes, of: file)
    if verbose { Report.note("\(output ?? program): \(result.placement.text)") }
  }

  private func bringBack(_ file: TargetFile) throws {
    let result = try InterpreterEditor.restore(file.content)
    try write(result.bytes, of: file)
    guard verbose else { return }
    let how =
      result.isExact ? "as it was before the first change" : "original interpreter; the file differs otherwise"
    Report.note("\(output ?? program): \(how)")
  }

  private func write(_ content: [UInt8], of file: TargetFile) throws {
    if let output {
      for warning in try Installation.write(content, like: file, to: output) { Report.warning(warning) }
    } else {
      try Installation.replace(file, with: content)
    }
  }
}

extension Placement {
  var text: String {
    switch self {
    case .unchanged: "has this interpreter already"
    case .restored: "the original interpreter is back"
    case .inPlace: "written in place"
    case .padding: "written into the padding of a segment"
    case .insertedPadding: "written into padding that was added to a segment"
    case .appended: "written behind the end of the file"
    }
  }
}
