import Bean

extension DiffTool {
  /// The document of `bean diff --json`.
  func json(_ interface: InterfaceChanges) -> Text {
    var writer = JSONWriter()
    writer.object { (writer) in
      writer.field("old", old.file.path)
      writer.field("new", new.file.path)
      write(interface, &writer)
      writer.key("changes")
      writer.array { (writer) in
        for change in changes where change.kind != .equal || dependsOnChange(change) != nil { write(change, &writer) }
      }
    }
    writer.end()
    return writer.text
  }

  private func write(_ change: ItemChange, _ writer: inout JSONWriter) {
    writer.object { (writer) in
      let (table, index) = place(change)
      let item = table.items[index]
      var name = Text()
      name.append(item: index, of: table)
      writer.field("change", Bytes(change.kind == .equal ? "dependency" : change.kind.word))
      writer.field("kind", Bytes(item.kind.word))
      name.withBytes { writer.field("name", $0) }
      writer.field("section", table.sectionName(item))
      write(change.old, old.table, "old_address", "old_size", &writer)
      write(change.new, new.table, "new_address", "new_size", &writer)
      let detail = detail(change)
      // The text begins with its comma.
      if !detail.isEmpty { Array(detail.bytes.dropFirst(2)).withUnsafeBytes { writer.field("detail", Bytes($0)) } }
    }
  }

  private func write(
    _ index: Int?, _ table: ItemTable, _ address: StaticString, _ size: StaticString, _ writer: inout JSONWriter
  ) {
    guard let index else { return }
    writer.field(address, hex: table.items[index].range.start)
    writer.field(size, Int(clamping: table.items[index].range.count))
  }

  func write(_ interface: InterfaceChanges, _ writer: inout JSONWriter) {
    writer.key("interface")
    writer.object { (writer) in
      let lists: [(StaticString, [String])] = [
        ("exports_removed", interface.removedExports), ("exports_added", interface.addedExports),
        ("imports_removed", interface.removedImports), ("imports_added", interface.addedImports),
        ("needed_removed", interface.removedNeeds), ("needed_added", interface.addedNeeds),
      ]
      for (key, names) in lists {
        writer.key(key)
        writer.array { for name in names { $0.value(name) } }
      }
      writer.field("tls_size_old", Int(clamping: interface.threadSizes.old))
      writer.field("tls_size_new", Int(clamping: interface.threadSizes.new))
      writer.field("soname_old", interface.sonames.old)
      writer.field("soname_new", interface.sonames.new)
    }
  }
}

/// How many items of a kind became what.
public struct ChangeCounts: Equatable {
  public var old = 0
  public var new = 0
  public var equal = 0
  public var moved = 0
  public var changed = 0
  public var resized = 0
  public var refersElsewhere = 0
  public var added = 0
  public var removed = 0
  /// Of what changed or was added.
  public var bytes = 0

  mutating func add(_ kind: ItemChange.Kind, _ size: UInt64) {
    if kind != .added { old += 1 }
    if kind != .removed { new += 1 }
    switch kind {
    case .equal: equal += 1
    case .moved: moved += 1
    case .content: changed += 1
    case .size: resized += 1
    case .references: refersElsewhere += 1
    case .added: added += 1
    case .removed: removed += 1
    }
    if kind == .content || kind == .size || kind == .added { bytes += Int(clamping: size) }
  }

  func write(_ writer: inout JSONWriter) {
    writer.object { (writer) in
      let fields: [(StaticString, Int)] = [
        ("old", old), ("new", new), ("equal", equal), ("moved", moved), ("changed", changed), ("resized", resized),
        ("refers_elsewhere", refersElsewhere), ("added", added), ("removed", removed), ("bytes", bytes),
      ]
      for (key, value) in fields { writer.field(key, value) }
    }
  }
}

/// `bean diffstat OLD NEW`: numbers only, for scripts and for `bean compare`.
public enum DiffStatTool {
  public static func run(_ old: String, _ new: String, _ options: ToolOptions) throws -> ToolResult {
    let tool = try DiffTool(old, new, options)
    let verdict = Bean.compare(old: tool.old.binary, new: tool.new.binary)
    let counts = counts(tool)
    var writer = JSONWriter()
    writer.object { (writer) in
      for (key, subject) in [("old", tool.old), ("new", tool.new)] as [(StaticString, Subject)] {
        writer.key(key)
        writer.object { describe(subject, &$0) }
      }
      for (key, count) in zip(["functions", "constants", "variables", "thread_variables"] as [StaticString], counts) {
        writer.key(key)
        count.write(&writer)
      }
      tool.write(InterfaceChanges(tool.old.binary, tool.new.binary), &writer)
      writer.key("check")
      writer.value(verdict)
    }
    writer.end()
    var result = ToolResult()
    result.text = writer.text
    return result
  }

  /// Functions, constants, variables, thread-local variables.
  static func counts(_ tool: DiffTool) -> [ChangeCounts] {
    var counts = [ChangeCounts](repeating: ChangeCounts(), count: 4)
    for change in tool.changes {
      let (table, index) = tool.place(change)
      let item = table.items[index]
      switch item.kind {
      case .function: counts[0].add(change.kind, item.range.count)
      case .codeData, .constant, .relocatedConstant: counts[1].add(change.kind, item.range.count)
      case .variable: counts[2].add(change.kind, item.range.count)
      case .threadVariable: counts[3].add(change.kind, item.range.count)
      case .label: break
      }
    }
    return counts
  }

  private static func describe(_ subject: Subject, _ writer: inout JSONWriter) {
    writer.field("file", subject.file.path)
    writer.field("size", subject.file.bytes.count)
    writer.field("build_id", (try? DebugLinks(subject.file.bytes))?.buildIDText ?? "")
    var code: UInt64 = 0
    for function in subject.binary.code.functions { code &+= function.range.count }
    writer.field("code_bytes", Int(clamping: code))
    writer.field("references", subject.table.references.count)
  }
}
