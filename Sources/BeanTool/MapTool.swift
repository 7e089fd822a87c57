import Bean

/// `bean map OLD NEW`: which old function or variable became which. Variables are told as the verdict sees them.
public enum MapTool {
  public static func run(_ old: String, _ new: String, _ options: ToolOptions) throws -> ToolResult {
    let tool = try DiffTool(old, new, options)
    var result = ToolResult()
    let entries = entries(tool)
    if options.isJSON {
      result.text = json(tool, entries)
    } else {
      for entry in entries { describe(entry, options, &result.text) }
    }
    return result
  }

  /// One version's side of an entry.
  struct Side {
    let name: Text
    let address: UInt64
    let size: UInt64
    /// A symbol tells its size; else it is what lies up to the next thing that is referred to.
    var isSized = false
  }

  struct Entry {
    /// kept, moved, grown, shrunk, changed, new, gone, unplaced.
    let fate: StaticString
    let kind: StaticString
    let old: Side?
    let new: Side?
    /// The initial value of a variable, the bytes of a function or constant.
    let isContentEqual: Bool
    /// Of variables.
    var evidence: VariablePair.Evidence?
    var support = 0
  }

  /// Functions; with -v constants; variables; thread-local variables.
  static func entries(_ tool: DiffTool) -> [Entry] {
    var (items, threads): ([Entry], [Entry]) = ([], [])
    for change in tool.changes {
      let (table, index) = tool.place(change)
      switch table.items[index].kind {
      case .variable: continue
      case .threadVariable: threads.append(entry(change, tool))
      case .function, .label: items.append(entry(change, tool))
      case .codeData, .constant, .relocatedConstant:
        if tool.options.verbosity > 0 { items.append(entry(change, tool)) }
      }
    }
    return items + tool.comparison.pairs.variables.map { entry($0, tool) } + threads
  }

  private static func entry(_ change: ItemChange, _ tool: DiffTool) -> Entry {
    let (table, index) = tool.place(change)
    return Entry(
      fate: fate(change, tool), kind: table.items[index].kind.word, old: change.old.map { side($0, tool.old.table) },
      new: change.new.map { side($0, tool.new.table) },
      isContentEqual: change.kind == .equal || change.kind == .moved || change.kind == .references)
  }

  private static func entry(_ pair: VariablePair, _ tool: DiffTool) -> Entry {
    let (old, new) = (pair.old.map { side($0, tool.old.binary) }, pair.new.map { side($0, tool.new.binary) })
    var fate = pair.kind.code
    if let old, let new, old.isSized, new.isSized, old.size > new.size { fate = "shrunk" }
    return Entry(
      fate: fate, kind: "variable", old: old, new: new,
      isContentEqual: pair.old != nil && pair.new != nil && !pair.hasOtherContent, evidence: pair.evidence,
      support: pair.support)
  }

  private static func fate(_ change: ItemChange, _ tool: DiffTool) -> StaticString {
    guard let a = change.old else { return "new" }
    guard let b = change.new else { return "gone" }
    let (left, right) = (tool.old.table.items[a], tool.new.table.items[b])
    switch change.kind {
    case .size: return left.range.count < right.range.count ? "grown" : "shrunk"
    case .content, .references: return "changed"
    case .moved: return "moved"
    // Functions and constants may lie anywhere.
    default: return left.kind.isVariable || left.range.start == right.range.start ? "kept" : "moved"
    }
  }

  private static func side(_ index: Int, _ table: ItemTable) -> Side {
    var name = Text()
    name.append(item: index, of: table)
    return Side(name: name, address: table.items[index].range.start, size: table.items[index].range.count)
  }

  private static func side(_ range: AddressRange, _ binary: Binary) -> Side {
    var name = Text()
    name.append(nameOf: binary.place(at: range.start))
    if let symbol = binary.symbols.name(containing: range.start), symbol.start == range.start, symbol.size != 0 {
      return Side(name: name, address: range.start, size: symbol.size, isSized: true)
    }
    return Side(name: name, address: range.start, size: range.count)
  }

  // MARK: - Output

  private static func describe(_ entry: Entry, _ options: ToolOptions, _ text: inout Text) {
    let isVariable = entry.evidence != nil || entry.kind.description == "thread-variable"
    text.append(colour(entry), options.usesColours) { $0.append(string: entry.fate.description.padding(to: 8)) }
    text.append(string: entry.fate.description.count >= 8 ? " " : "")
    text.append(entry.kind)
    text.append(" ")
    if let side = entry.old { append(side, &text) }
    if entry.old != nil && entry.new != nil { text.append(" -> ") }
    if let side = entry.new { append(side, &text) }
    if isVariable, entry.old != nil, entry.new != nil, !entry.isContentEqual {
      text.append(", another initial value")
    }
    if options.verbosity > 0, let evidence = entry.evidence, evidence != .none {
      text.append(", by ")
      text.append(evidence.code)
      if entry.support > 0 { text.append(string: " (\(entry.support))") }
    }
    text.append("\n")
  }

  private static func colour(_ entry: Entry) -> Colour {
    switch entry.fate.description {
    case "new": .green
    case "gone": .red
    case "kept": .grey
    default: .yellow
    }
  }

  private static func append(_ side: Side, _ text: inout Text) {
    text.append(side.name.bytes)
    text.append(" (")
    text.append(hex: side.address)
    text.append(", ")
    text.append(decimal: side.size)
    text.append(")")
  }

  private static func json(_ tool: DiffTool, _ entries: [Entry]) -> Text {
    var writer = JSONWriter()
    writer.object { (writer) in
      writer.field("old", tool.old.file.path)
      writer.field("new", tool.new.file.path)
      writer.key("map")
      writer.array { (writer) in for entry in entries { write(entry, &writer) } }
    }
    writer.end()
    return writer.text
  }

  private static func write(_ entry: Entry, _ writer: inout JSONWriter) {
    writer.object { (writer) in
      writer.field("fate", Bytes(entry.fate))
      writer.field("kind", Bytes(entry.kind))
      for (key, side) in [("old", entry.old), ("new", entry.new)] as [(StaticString, Side?)] {
        guard let side else { continue }
        writer.key(key)
        writer.object { (writer) in
          side.name.withBytes { writer.field("name", $0) }
          writer.field("address", hex: side.address)
          writer.field("size", Int(clamping: side.size))
        }
      }
      writer.field("content_equal", entry.isContentEqual)
      guard let evidence = entry.evidence else { return }
      writer.field("evidence", Bytes(evidence.code))
      writer.field("support", entry.support)
    }
  }
}
