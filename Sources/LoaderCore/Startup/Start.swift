import CKernel

/// The first code of Luci in a process: finds out how it was started, and what to do when it can't go on.
public enum Start {
  /// What has to be known before a program exists, and to hand over to another loader.
  struct Situation {
    var stack: InitialStack
    var settings: Settings
    let gates: Gates
    /// The kernel started Luci as a program, not as a program's interpreter.
    let isDirect: Bool
    var isSecure: Bool { settings.isSecure }
  }

  /// Returns where to go on; does not return where the process ends or becomes another program.
  public static func run(stackAddress: UInt64, gates: Gates) -> (Jump, Program?) {
    var stack = InitialStack(at: stackAddress)
    let isSecure = (stack[AT_SECURE] ?? 1) != 0
    var settings = Settings(isSecure: isSecure)
    settings.read(fileAt: gates.prefix.appending(Bytes(Settings.fileName)))
    settings.read(environment: stack.environment.map { ProcessMemory.cString(at: $0) })
    if isSecure { stack.removeUnsafeVariables() }
    if settings.debug.contains(.help) { printAndExit(DebugTrace.help()) }
    let isDirect = stack[AT_ENTRY] == gates.selfEntry
    let situation = Situation(stack: stack, settings: settings, gates: gates, isDirect: isDirect)
    return isDirect ? startDirectly(situation) : startAsInterpreter(situation)
  }

  // MARK: As PT_INTERP

  private static func startAsInterpreter(_ situation: Situation) -> (Jump, Program?) {
    let stack = situation.stack
    let log = Log(situation.settings)
    show(stack, situation.settings)
    var remembered: Path?
    var own: FileStatus?
    do throws(LoadError) {
      let executable = try Executable.mappedByKernel(stack)
      remembered = Executable.originalInterpreter(of: executable)
      own = try? FileDescriptor.status(of: Executable.interpreter(of: executable) ?? Path(""))
      let program = makeProgram(
        situation, log, executable, directory: executableDirectory(stack),
        name: Path(stack.argument(0) ?? Bytes("?")))
      program.entry = stack[AT_ENTRY] ?? 0
      program.loaderPath = program.settings.loaderPath ?? Executable.interpreter(of: executable)
      program.ownStatus = own
      program.interpreter = remembered
      program.firstState = FirstState(situation: situation, path: nil, remembered: remembered)
      if situation.settings.listsObjects { list(program) }
      return (try bringUp(program), program)
    } catch {
      if error.isProgramsOwn { fail(error, name: Path(stack.argument(0) ?? Bytes("?"))) }
      let original = remembered ?? Executable.originalInterpreter(ofFile: Path("/proc/self/exe"))
      return (handOver(situation, log, error, remembered: original, own: own), nil)
    }
  }

  // MARK: As a command

  private static func startDirectly(_ situation: Situation) -> (Jump, Program?) {
    var situation = situation
    let arguments = situation.stack.arguments.map { ProcessMemory.cString(at: $0) }
    let command: CommandLine
    do throws(CommandLine.Failure) { command = try CommandLine(arguments, &situation.settings) } catch {
      write(error.text, to: .standardError)
      Process.exit(error.code)
    }
    switch command.action {
    case .help: printAndExit(helpText())
    case .version: printAndExit(Text("ld-luci.so 0.1\n"))
    case .check(let old, let new, let isJSON):
      let (text, code) = Check.run(Path(old), Path(new), situation.settings, isJSON: isJSON)
      write(text.bytes, to: .standardOutput)
      Process.exit(code)
    case .run, .list, .verify: break
    }
    let log = Log(situation.settings)
    let asked = Path(arguments[command.programIndex])
    let path = Executable.find(asked, pathVariable: situation.stack.environmentValue("PATH"))
    situation.stack = programStack(situation.stack, command)
    if command.action == .verify { verify(path) }
    do throws(LoadError) {
      let opened = try Executable.open(path)
      situation.stack[AT_PHDR] = opened.object.programHeaders
      situation.stack[AT_PHNUM] = opened.object.programHeaderCount
      situation.stack[AT_ENTRY] = opened.entry
      situation.stack[AT_BASE] = situation.gates.selfRange.start
      let program = makeProgram(
        situation, log, opened.object, directory: opened.directory,
        name: Path(situation.stack.argument(0) ?? Bytes("?")))
      program.entry = opened.entry
      program.ownStatus = try? FileDescriptor.status(of: Path(arguments[0]))
      program.loaderPath = program.settings.loaderPath ?? Path(arguments[0]).absolute()
      program.executablePath = path.absolute()
      program.firstState = FirstState(situation: situation, path: path, remembered: nil)
      program.interpreter = opened.interpreter
      program.search.withoutRunpath = command.withoutRunpath
      show(situation.stack, situation.settings)
      if command.action == .list || situation.settings.listsObjects { list(program) }
      let jump = try bringUp(program)
      ExecutableLink.set(
        to: path, firstArgument: situation.stack.arguments[0], own: situation.gates.selfRange.start,
        auxiliary: situation.stack.auxiliary)
      return (jump, program)
    } catch {
      if error.isProgramsOwn { fail(error, name: asked) }
      execute(path, situation, log, error)
    }
  }

  /// The vector as the program would have got it from the kernel: without the loader's own arguments.
  private static func programStack(_ stack: InitialStack, _ command: CommandLine) -> InitialStack {
    var result = stack
    let name = stack.arguments[command.programIndex]
    result.arguments = [command.argv0.map { $0.memoryAddress } ?? name]
    if command.firstArgument < stack.arguments.count {
      result.arguments += stack.arguments[command.firstArgument...]
    }
    result[AT_EXECFN] = name
    return result
  }

  // MARK: Both

  /// LD_SHOW_ARGS, LD_SHOW_AUXV, LD_SHOW_ENV: what the program gets.
  private static func show(_ stack: InitialStack, _ settings: Settings) {
    if settings.showsArguments { write(stack.argumentText.bytes, to: .standardOutput) }
    if settings.showsAuxv { write(stack.auxiliaryText.bytes, to: .standardOutput) }
    if settings.showsEnvironment { write(stack.environmentText.bytes, to: .standardOutput) }
  }

  private static func makeProgram(
    _ situation: Situation, _ log: Log, _ executable: LoadedObject, directory: Path, name: Path
  ) -> Program {
    var settings = situation.settings
    let preset = situation.gates.prefix.appending(Bytes(Settings.libraryFileName))
    let configured = settings.readLibraryDirectories(preset: preset)
    for line in settings.warnings[situation.settings.warnings.count...] { log.warning(line) }
    // It knows no thread that is made by clone(2) alone.
    let updates = settings.updatesObjects(startedForIt: true) && luci_on_valgrind() == 0
    let search = LibrarySearch(
      libraryPath: situation.isSecure ? [] : settings.libraryPath, executableDirectory: directory,
      isSecure: situation.isSecure)
    search.configured = configured
    let program = Program(
      gates: situation.gates, settings: settings, log: log, executable: executable, search: search,
      factory: ObjectFactory(keepsContent: updates), stack: situation.stack, name: name)
    program.graph.excluded = settings.excluded
    program.scope.prefersStrong = settings.prefersStrongSymbols
    if let trace = DebugTrace(settings, programName: name) {
      program.trace = trace
      search.trace = trace
    }
    return program
  }

  /// $ORIGIN of an executable that the kernel mapped: the directory of the file behind /proc/self/exe, or
  /// behind AT_EXECFN where there is no /proc.
  private static func executableDirectory(_ stack: InitialStack) -> Path {
    if let path = try? Path("/proc/self/exe").linkTarget() { return path.directory }
    guard let name = stack[AT_EXECFN], name != 0 else { return Path(".") }
    return Path(ProcessMemory.cString(at: name)).absolute().directory
  }

  private static func bringUp(_ program: Program) throws(LoadError) -> Jump {
    if program.interpreter == nil { program.interpreter = Executable.interpreter(of: program.executable) }
    return try program.bringUp(preload: program.preloads())
  }

  /// `--verify`: 0 for a program that the loader can start, 2 for a shared object, 1 for all else (as ld.so).
  private static func verify(_ path: Path) -> Never {
    guard let file = try? OpenedFile(path),
      let content = try? ObjectMapper.content(of: file.descriptor, size: file.status.size, path: path),
      let parsed = try? ObjectFile(content), parsed.dynamic != nil
    else { Process.exit(1) }
    Process.exit(parsed.interpreter == nil ? 2 : 0)
  }

  private static func list(_ program: Program) -> Never {
    write(ObjectList(program).text.bytes, to: .standardOutput)
    Process.exit(0)
  }

  private static func helpText() -> Text {
    var text = Text(
      "Usage: ld-luci.so PROGRAM -- ARGUMENTS...\n       ld-luci.so [OPTIONS] [--] PROGRAM ARGUMENTS...\n")
    text.append("Runs a dynamically linked program and replaces its shared libraries while it runs.\n\n")
    text.append("  --check [--json] OLD NEW  tell whether a program could go over from one library to the other\n")
    text.append(
      "  --list        list the objects and exit\n  --verify      tell whether the program can be started\n")
    text.append(
      "  --inhibit-rpath LIST  ignore RUNPATH and RPATH of these objects\n  --argv0 NAME  what the program sees as its name\n"
    )
    text.append("  --help        this text\n  --version     the version\n\n")
    text.append(Settings.help().bytes)
    return text
  }

  private static func printAndExit(_ text: Text) -> Never {
    write(text.bytes, to: .standardOutput)
    Process.exit(0)
  }

  static func write(_ bytes: [UInt8], to file: FileDescriptor) {
    bytes.withUnsafeBytes { try? file.writeAll(Bytes($0)) }
  }
}
