import Bean

/// `bean find-debug FILE`: where the debug information of a stripped file is.
public enum FindDebugTool {
  /// Exit code 0: found, 1: not found.
  public static func run(_ path: String, _ options: ToolOptions) throws -> ToolResult {
    let candidates = try DebugFiles(root: options.root).candidates(for: path)
    var result = ToolResult()
    let found = candidates.last { $0.problem == nil }
    result.code = found == nil ? 1 : 0
    if options.isJSON {
      var writer = JSONWriter()
      writer.object { (writer) in
        writer.field("file", path)
        writer.key("debug_file")
        if let found { writer.value(found.path) } else { writer.null() }
        writer.key("searched")
        writer.array { (writer) in
          for candidate in candidates where candidate.problem != nil {
            writer.object {
              $0.field("path", candidate.path)
              $0.field("problem", candidate.problem ?? "")
            }
          }
        }
      }
      writer.end()
      result.text = writer.text
      return result
    }
    if let found { result.text.append(string: found.path + "\n") }
    guard found == nil || options.verbosity > 0 else { return result }
    for candidate in candidates {
      if let problem = candidate.problem { result.text.append(string: "  \(candidate.path): \(problem)\n") }
    }
    if candidates.isEmpty { result.text.append("  the file has neither build-id nor debug link\n") }
    return result
  }
}
