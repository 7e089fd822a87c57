import Bean

/// `bean graph FILE` and `bean graph OLD NEW`: the references between functions and data in the dot language of
/// Graphviz. Of two versions the new one is drawn, with what is gone from the old one added.
public struct GraphTool {
  /// What is drawn besides functions.
  public struct Content: Sendable {
    public var includesExternal = false
    public var includesData = false
    /// Only what changed, and what it is connected with directly.
    public var changesOnly = false

    public init() {}
  }

  private var text = Text()
  private let options: ToolOptions
  private let content: Content
  /// The new version, or the only one.
  private let table: ItemTable
  private let difference: DiffTool?
  /// By index in `table`; nil: equal, or there is nothing to compare with.
  private var changes: [Int: ItemChange] = [:]
  private var removed: [Int] = []
  /// Symbols of other objects that something refers to.
  private var external: [Int32: Bytes] = [:]

  public static func run(_ path: String, _ options: ToolOptions, _ content: Content) throws -> ToolResult {
    let subject = try Subject(path, options)
    var tool = GraphTool(subject.table, nil, options, content)
    return tool.draw()
  }

  public static func run(
    _ old: String, _ new: String, _ options: ToolOptions, _ content: Content
  ) throws -> ToolResult {
    let difference = try DiffTool(old, new, options)
    var tool = GraphTool(difference.new.table, difference, options, content)
    return tool.draw()
  }

  private init(_ table: ItemTable, _ difference: DiffTool?, _ options: ToolOptions, _ content: Content) {
    (self.table, self.difference, self.options, self.content) = (table, difference, options, content)
    for change in difference?.changes ?? [] where change.isDifference {
      if let index = change.new { changes[index] = change } else if let index = change.old { removed.append(index) }
    }
  }

  private mutating func draw() -> ToolResult {
    text.append("digraph bean {\n  rankdir=LR;\n  node [shape=box, style=filled, fillcolor=white];\n")
    let shown = shownItems()
    drawClusters(shown)
    for index in shown.indices where shown[index] { drawEdges(index, shown) }
    drawRemoved(shown)
    for (index, name) in external.sorted(by: { $0.key < $1.key }) {
      text.append(string: "  e\(index) [shape=ellipse, style=dashed, label=")
      quote(name)
      text.append("];\n")
    }
    text.append("}\n")
    var result = ToolResult()
    result.text = text
    return result
  }

  private func isWanted(_ item: Item) -> Bool {
    item.kind == .function || content.includesData && item.kind != .label && item.isKnown
  }

  private func shownItems() -> [Bool] {
    var shown = table.items.map { isWanted($0) }
    guard content.changesOnly, difference != nil else { return shown }
    var near = [Bool](repeating: false, count: shown.count)
    for index in shown.indices where shown[index] {
      if changes[index] != nil { near[index] = true }
      for target in targets(index, table) where shown[target] && (changes[index] != nil || changes[target] != nil) {
        near[index] = true
        near[target] = true
      }
    }
    for index in shown.indices { shown[index] = shown[index] && near[index] }
    return shown
  }

  /// Items that one refers to, each once, in order.
  private func targets(_ index: Int, _ table: ItemTable) -> [Int] {
    var seen: Set<Int32> = []
    let item = table.items[index]
    return table.references[item.first..<item.end].compactMap { (reference) in
      guard reference.target.kind == .item, seen.insert(reference.target.index).inserted else { return nil }
      return Int(reference.target.index)
    }
  }

  private mutating func drawClusters(_ shown: [Bool]) {
    var sections: [Int32: [Int]] = [:]
    for index in shown.indices where shown[index] { sections[table.items[index].region, default: []].append(index) }
    for (region, members) in sections.sorted(by: { $0.key < $1.key }) {
      text.append(string: "  subgraph cluster_\(region + 1) {\n    label=")
      quote(table.sectionName(table.items[members[0]]))
      text.append(";\n")
      for index in members {
        text.append(string: "    n\(index) [label=")
        var name = Text()
        name.append(item: index, of: table)
        name.withBytes { quote($0) }
        if table.items[index].kind != .function { text.append(", shape=note") }
        if let change = changes[index] { text.append(string: ", fillcolor=\(colour(change.kind))") }
        text.append("];\n")
      }
      text.append("  }\n")
    }
  }

  private func colour(_ kind: ItemChange.Kind) -> String {
    switch kind {
    case .added: "palegreen"
    case .removed: "lightpink"
    case .references: "lightyellow"
    case .content, .size: "gold"
    case .moved, .equal: "white"
    }
  }

  private mutating func drawEdges(_ index: Int, _ shown: [Bool]) {
    for target in targets(index, table) where shown[target] { text.append(string: "  n\(index) -> n\(target);\n") }
    guard content.includesExternal else { return }
    var seen: Set<Int32> = []
    let item = table.items[index]
    for reference in table.references[item.first..<item.end]
    where reference.target.kind == .symbol && seen.insert(reference.target.index).inserted {
      external[reference.target.index] = table.binary.symbols.entries[Int(reference.target.index)].name
      text.append(string: "  n\(index) -> e\(reference.target.index);\n")
    }
  }

  /// What is gone, with its references to what is still there.
  private mutating func drawRemoved(_ shown: [Bool]) {
    guard let difference else { return }
    for index in removed where isWanted(difference.old.table.items[index]) {
      text.append(string: "  o\(index) [fillcolor=lightpink, label=")
      var name = Text()
      name.append(item: index, of: difference.old.table)
      name.withBytes { quote($0) }
      text.append("];\n")
      for target in targets(index, difference.old.table) {
        let new = Int(difference.comparison.pairs.newOfOld[target])
        if new >= 0, shown[new] { text.append(string: "  o\(index) -> n\(new) [style=dashed];\n") }
      }
    }
  }

  /// A quoted string of the dot language: only the quote needs an escape, and the backslash, which begins one.
  private mutating func quote(_ name: Bytes) {
    var clean = Text()
    clean.append(name: name)
    text.append("\"")
    for byte in clean.bytes {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { text.append("\\") }
      text.append(byte: byte)
    }
    text.append("\"")
  }
}
