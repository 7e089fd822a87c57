import Bean

/// `bean map OLD NEW`: which old function or variable became which.
public enum MapTool {
  /// What became of it, for a user.
  enum Fate: String {
    case kept, moved, grown, shrunk, changed, new, gone
  }

  struct Entry {
    let fate: Fate
    let change: ItemChange
    /// Variables say more than whether they lie elsewhere: their initial value, too.
    let isContentEqual: Bool
  }

  public static func run(_ old: String, _ new: String, _ options: ToolOptions) throws -> ToolResult {
    let tool = try DiffTool(old, new, options)
    var result = ToolResult()
    let entries = entries(tool)
    if options.isJSON {
      result.text = json(tool, entries)
    } else {
      for entry in entries { describe(entry, tool, options, &result.text) }
    }
    return result
  }

  /// Functions and variables; constants only with -v.
  static func entries(_ tool: DiffTool) -> [Entry] {
    tool.changes.compactMap { (change) -> Entry? in
      let (table, index) = tool.place(change)
      if table.items[index].kind.isConstant && tool.options.verbosity == 0 { return nil }
      return Entry(
        fate: fate(change, tool), change: change,
        isContentEqual: change.kind == .equal || change.kind == .moved || change.kind == .references)
    }
  }

  private static func fate(_ change: ItemChange, _ tool: DiffTool) -> Fate {
    guard let a = change.old else { return .new }
    guard let b = change.new else { return .gone }
    let (left, right) = (tool.old.table.items[a], tool.new.table.items[b])
    if change.kind == .size {
      return left.range.count < right.range.count ? .grown : .shrunk
    }
    if change.kind == .content || change.kind == .references { return .changed }
    if change.kind == .moved { return .moved }
    // Functions and constants may lie anywhere.
    return left.kind.isVariable || left.range.start == right.range.start ? .kept : .moved
  }

  private static func describe(_ entry: Entry, _ tool: DiffTool, _ options: ToolOptions, _ text: inout Text) {
    let colours: [Fate: Colour] = [.new: .green, .gone: .red, .kept: .grey]
    let (table, index) = tool.place(entry.change)
    text.append(colours[entry.fate] ?? .yellow, options.usesColours) {
      $0.append(string: entry.fate.rawValue.padding(to: 8))
    }
    text.append(table.items[index].kind.word)
    text.append(" ")
    if let a = entry.change.old {
      text.append(item: a, of: tool.old.table)
      text.append(" ")
      append(tool.old.table.items[a], &text)
    }
    if entry.change.old != nil && entry.change.new != nil { text.append(" -> ") }
    if let b = entry.change.new {
      text.append(item: b, of: tool.new.table)
      text.append(" ")
      append(tool.new.table.items[b], &text)
    }
    if table.items[index].kind.isVariable, entry.change.kind == .content { text.append(", another initial value") }
    text.append("\n")
  }

  private static func append(_ item: Item, _ text: inout Text) {
    text.append("(")
    text.append(hex: item.range.start)
    text.append(", ")
    text.append(decimal: item.range.count)
    text.append(")")
  }

  private static func json(_ tool: DiffTool, _ entries: [Entry]) -> Text {
    var writer = JSONWriter()
    writer.object { (writer) in
      writer.field("old", tool.old.file.path)
      writer.field("new", tool.new.file.path)
      writer.key("map")
      writer.array { (writer) in
        for entry in entries {
          writer.object { (writer) in
            let (table, index) = tool.place(entry.change)
            writer.field("fate", entry.fate.rawValue)
            writer.field("kind", Bytes(table.items[index].kind.word))
            for (key, side) in [
              ("old", entry.change.old.map { (tool.old.table, $0) }),
              ("new", entry.change.new.map { (tool.new.table, $0) }),
            ] as [(StaticString, (ItemTable, Int)?)] {
              guard let (table, index) = side else { continue }
              writer.key(key)
              writer.object { (writer) in
                var name = Text()
                name.append(item: index, of: table)
                name.withBytes { writer.field("name", $0) }
                writer.field("address", hex: table.items[index].range.start)
                writer.field("size", Int(clamping: table.items[index].range.count))
              }
            }
            writer.field("content_equal", entry.isContentEqual)
          }
        }
      }
    }
    writer.end()
    return writer.text
  }
}

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
