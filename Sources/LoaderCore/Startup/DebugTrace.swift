import CKernel

/// What LD_DEBUG asks for, in the wording of glibc's loader, which people and tools read (ld.so(8)).
///
/// Lines go to standard error, or by LD_DEBUG_OUTPUT to a file with the process id in its name. No descriptor is
/// kept open: numbers in the program's table are the program's.
public final class DebugTrace {
  public let wanted: DebugOutput
  private let file: Path?
  private let programName: Path
  private let start: UInt64
  private var loaded: UInt64 = 0
  private var relocated: UInt64 = 0
  public var lookUps: UInt64 = 0

  /// nil where nothing is asked for.
  public init?(_ settings: Settings, programName: Path) {
    let wanted = settings.debug.subtracting(.images)
    if wanted.isEmpty { return nil }
    self.wanted = wanted
    self.programName = programName
    start = ClockTime.monotonic()
    if let name = settings.debugFile {
      var text = Text()
      name.write(to: &text)
      text.append(".")
      text.append(decimal: UInt64(Process.identifier))
      file = Path(text)
    } else {
      file = nil
    }
  }

  @inline(__always)
  public func wants(_ kind: DebugOutput) -> Bool { !wanted.isDisjoint(with: kind) }

  public func line(_ kind: DebugOutput, _ text: StaticString) {
    line(kind) { $0.append(text) }
  }

  public func line(_ kind: DebugOutput, _ fill: (inout Text) -> Void) {
    guard wants(kind) else { return }
    var text = Text()
    let process = UInt64(Process.identifier)
    var digits = 1
    var rest = process / 10
    while rest > 0 {
      digits += 1
      rest /= 10
    }
    while digits < 10 {
      text.append(" ")
      digits += 1
    }
    text.append(decimal: process)
    text.append(":\t")
    fill(&text)
    text.append("\n")
    write(text.bytes)
  }

  private func write(_ bytes: [UInt8]) {
    if let file {
      let flags = O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY
      guard let opened = try? FileDescriptor.open(file, flags: flags, mode: 0o666) else { return }
      bytes.withUnsafeBytes { try? opened.writeAll(Bytes($0)) }
      opened.close()
    } else {
      bytes.withUnsafeBytes { try? FileDescriptor.standardError.writeAll(Bytes($0)) }
    }
  }

  /// A line between empty ones.
  private func paragraph(_ kind: DebugOutput, _ before: StaticString, _ path: Path, _ after: StaticString = "") {
    guard wants(kind) else { return }
    line(kind, "")
    line(kind) {
      $0.append(before)
      name(path).write(to: &$0)
      $0.append(after)
    }
    line(kind, "")
  }

  /// The executable has an empty path, as in link_map.
  private func name(_ path: Path) -> Path { path.isEmpty ? programName : path }

  // MARK: Events

  public func find(_ name: Bytes) {
    line(.libraries) {
      $0.append("find library=")
      $0.append(name)
      $0.append(" [0]; searching")
    }
  }

  public func trying(_ path: Path) {
    line(.libraries) {
      $0.append("  trying file=")
      path.write(to: &$0)
    }
  }

  public func needed(_ library: Bytes, by requester: Path?) {
    guard wants(.files) else { return }
    line(.files, "")
    line(.files) {
      $0.append("file=")
      $0.append(library)
      $0.append(" [0];  ")
      if let requester {
        $0.append("needed by ")
        name(requester).write(to: &$0)
        $0.append(" [0]")
      } else {
        $0.append("dynamically loaded")
      }
    }
  }

  public func mapped(_ object: LoadedObject) {
    guard wants(.files) else { return }
    line(.files) {
      $0.append("file=")
      $0.append(object.name)
      $0.append(" [0];  generating link map")
    }
    line(.files) {
      $0.append("  dynamic: 0x")
      $0.append(hex: object.bias &+ (object.segments.dynamic?.start ?? 0), width: 16)
      $0.append("  base: 0x")
      $0.append(hex: object.bias, width: 16)
      $0.append("   size: 0x")
      $0.append(hex: object.segments.span.count, width: 16)
    }
  }

  public func leftToHost(_ library: Bytes, _ path: Path) {
    line(.files) {
      $0.append("file=")
      $0.append(library)
      $0.append(" [0];  left to the C library's loader: ")
      path.write(to: &$0)
    }
  }

  public func version(_ version: Bytes, in provider: Path, for requester: Path) {
    line(.versions) {
      $0.append("checking for version `")
      $0.append(version)
      $0.append("' in file ")
      name(provider).write(to: &$0)
      $0.append(" [0] required by file ")
      name(requester).write(to: &$0)
      $0.append(" [0]")
    }
  }

  public func lookUp(_ symbol: Bytes, in object: LoadedObject) {
    line(.symbols) {
      $0.append("symbol=")
      $0.append(symbol)
      $0.append(";  lookup in file=")
      name(object.path).write(to: &$0)
      $0.append(" [0]")
    }
  }

  public func binding(_ symbol: Bytes, _ version: SymbolVersion?, of object: LoadedObject, to found: LoadedObject) {
    line(.bindings) {
      $0.append("binding file ")
      name(object.path).write(to: &$0)
      $0.append(" [0] to ")
      name(found.path).write(to: &$0)
      $0.append(" [0]: normal symbol `")
      $0.append(symbol)
      $0.append("'")
      if let version {
        $0.append(" [")
        $0.append(version.name)
        $0.append("]")
      }
    }
  }

  public func relocating(_ object: LoadedObject) { paragraph(.relocations, "relocation processing: ", object.path) }
  public func initialising(_ object: LoadedObject) { paragraph(.calls, "calling init: ", object.path) }
  public func finalising(_ object: LoadedObject) { paragraph(.calls, "calling fini: ", object.path, " [0]") }
  public func transferring() {
    paragraph(.calls, "initialize program: ", Path(""))
    paragraph(.calls, "transferring control: ", Path(""))
  }

  // MARK: Statistics

  public func everythingIsLoaded() { loaded = ClockTime.monotonic() }
  public func everythingIsRelocated() { relocated = ClockTime.monotonic() }

  /// glibc counts cycles; these are microseconds.
  public func statistics(relative: UInt64) {
    guard wants(.statistics) else { return }
    line(.statistics, "")
    line(.statistics, "runtime linker statistics:")
    number("  total startup time in dynamic loader: ", (ClockTime.monotonic() &- start) / 1000, " microseconds")
    number(
      "            time needed for relocation: ", (relocated &- loaded) / 1000, " microseconds with the C library")
    number("                 number of relocations: ", lookUps, "")
    number("        number of relative relocations: ", relative, "")
    number("           time needed to load objects: ", (loaded &- start) / 1000, " microseconds")
  }

  private func number(_ before: StaticString, _ value: UInt64, _ after: StaticString) {
    line(.statistics) {
      $0.append(before)
      $0.append(decimal: value)
      $0.append(after)
    }
  }

  /// LD_DEBUG=help.
  public static func help() -> Text {
    var text = Text("Valid options for the LD_DEBUG environment variable are:\n\n")
    text.append("  libs        display library search paths\n")
    text.append("  reloc       display relocation processing\n")
    text.append("  files       display progress for input file\n")
    text.append("  symbols     display symbol table processing\n")
    text.append("  bindings    display information about symbol binding\n")
    text.append("  versions    display version dependencies\n")
    text.append("  all         all previous options combined\n")
    text.append("  statistics  display relocation statistics\n")
    text.append("  help        display this help message and exit\n\n")
    text.append("To direct the debugging output into a file instead of standard output\n")
    text.append("a filename can be specified using the LD_DEBUG_OUTPUT environment variable.\n")
    return text
  }
}
