import Bean
import Foundation

/// Everything that the options common to all commands say.
public struct ToolOptions: Sendable {
  public var items = ItemOptions()
  /// Hashes over all that an item depends on.
  public var includesDependencies = false
  public var usesDebugSymbols = false
  /// Where separate debug files are searched, besides beside the file; nil: the system's root.
  public var root: String?
  /// 0 to 3, see `ItemComparison.relaxation`.
  public var relaxation = 0
  /// 1 names, 2 disassembly, 3 references.
  public var verbosity = 0
  public var isJSON = false
  public var usesColours = false

  public init() {}
}

/// What a command prints, and its exit code.
public struct ToolResult {
  public var text = Text()
  public var code: Int32 = 0

  public init() {}
}

/// A file that a command looks at, read and understood.
public final class Subject {
  public let file: InputFile
  public let binary: Binary
  public private(set) lazy var table = ItemTable(binary, options.items)
  private let options: ToolOptions

  /// `like`: another version, which makes this one be read sooner.
  public init(_ path: String, _ options: ToolOptions, like other: Subject? = nil) throws {
    self.options = options
    file = try InputFile(path)
    var debug: (file: InputFile, symbols: SymbolTable)?
    if options.usesDebugSymbols { debug = DebugFiles(root: options.root).symbols(for: path) }
    do throws(ELFError) { binary = try Binary(file.bytes, debug: debug?.symbols, like: other?.binary) } catch {
      throw error.message(path)
    }
  }
}
