import Bean
import DebugLayout
import Foundation

/// `bean debug-hash FILE`: the hash over the layout of types that a running program may have objects of.
public enum DebugHashTool {
  public static func run(_ path: String, _ options: ToolOptions) throws -> ToolResult {
    let hash = try hash(of: path, root: options.root)
    var result = ToolResult()
    if options.isJSON {
      result.text = try json(path, hash, options)
      return result
    }
    result.text.append(string: hash.text + "\n")
    if options.verbosity >= 1 {
      for type in hash.types {
        result.text.append(string: options.verbosity >= 2 ? "\(type.name) \(type.layout)\n" : "\(type.name)\n")
      }
    }
    return result
  }

  private static func json(_ path: String, _ hash: LayoutHash, _ options: ToolOptions) throws -> Text {
    let links = try DebugLinks(of: path)
    var writer = JSONWriter()
    writer.object { (writer) in
      writer.field("file", path)
      writer.field("build_id", links.buildIDText)
      writer.field("hash", hash.text)
      writer.field("types", hash.types.count)
    }
    writer.end()
    return writer.text
  }

  /// Of the file itself where it has debug information, else of its separate debug file.
  static func hash(of path: String, root: String?) throws -> LayoutHash {
    let files = DebugFiles(root: root)
    var source = path
    if try !InputFile.withContent(of: path, hasDebugInformation) {
      guard let found = try files.candidates(for: path).last(where: { $0.problem == nil }) else {
        throw ToolError("\(path): no debug information, here or in a separate file")
      }
      source = found.path
    }
    do {
      return try LayoutHash(source) { files.alternate(named: $0, buildID: $1, beside: source) }
    } catch let error as DebugError { throw ToolError(error.description) }
  }

  static func hasDebugInformation(_ file: Bytes) -> Bool {
    guard let header = try? FileHeader(file), let sections = try? Sections(file, header) else {
      return false
    }
    return sections.all.contains {
      ($0.name == Bytes(".debug_info") || $0.name == Bytes(".zdebug_info")) && !$0.isNoBits
    }
  }
}

extension DebugFiles {
  /// The file that .gnu_debugaltlink means: by its name, which may be relative to the file that has the link, or by
  /// build-id.
  func alternate(named name: String, buildID: [UInt8], beside path: String) -> String? {
    let id = buildID.map { (byte) in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    var candidates = [name.hasPrefix("/") ? name : "\(folder)/\(name)"]
    if name.hasPrefix("/") { candidates.insert((root as NSString).appendingPathComponent(name), at: 0) }
    if id.count > 2 {
      for base in [(root as NSString).appendingPathComponent("usr/lib/debug"), root] {
        candidates.append("\(base)/.build-id/\(id.prefix(2))/\(id.dropFirst(2)).debug")
      }
    }
    return candidates.first { BuildID.of($0) == buildID }
  }
}
