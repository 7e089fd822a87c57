import Bean

/// `bean hash FILE`: every function and variable with its hashes.
public enum HashTool {
  public static func run(_ path: String, _ options: ToolOptions) throws -> ToolResult {
    let subject = try Subject(path, options)
    let dependencies = options.includesDependencies ? DependencyHash(subject.table) : nil
    var result = ToolResult()
    if options.isJSON {
      result.text = json(subject, dependencies)
      return result
    }
    let listing = options.verbosity >= 2 ? Listing(subject.table) : nil
    for index in subject.table.items.indices {
      describe(index, subject.table, dependencies, options, &result.text)
      listing?.append(index, options, &result.text)
    }
    return result
  }

  /// Addresses only with -v: two versions whose code has merely moved give the same lines.
  private static func describe(
    _ index: Int, _ table: ItemTable, _ dependencies: DependencyHash?, _ options: ToolOptions, _ text: inout Text
  ) {
    let item = table.items[index]
    text.append(.grey, options.usesColours) { (text) in
      text.append(hash: item.internalHash)
      text.append(" ")
      text.append(hash: item.externalHash)
      if let dependencies {
        text.append(" ")
        text.append(hash: dependencies.hashes[index])
      }
    }
    if options.verbosity >= 1 {
      text.append(" ")
      text.append(hex: item.range.start, width: 8)
      text.append(" ")
      text.append(string: table.permissions(item))
    }
    text.append(" ")
    text.append(decimal: item.range.count)
    text.append(" ")
    text.append(item.kind.word)
    text.append(" ")
    text.append(name: table.sectionName(item))
    if item.name.count != 0 {
      text.append(" ")
      text.append(.cyan, options.usesColours) { $0.append(name: item.name) }
    } else if options.verbosity >= 1 {
      text.append(" ")
      text.append(item: index, of: table)
    }
    text.append("\n")
  }

  private static func json(_ subject: Subject, _ dependencies: DependencyHash?) -> Text {
    let table = subject.table
    var writer = JSONWriter()
    writer.object { (writer) in
      writer.field("file", subject.file.path)
      writer.field("build_id", (try? DebugLinks(subject.file.bytes))?.buildIDText ?? "")
      writer.key("items")
      writer.array { (writer) in
        for (index, item) in table.items.enumerated() {
          writer.object { (writer) in
            var place = Text()
            place.append(item: index, of: table)
            writer.field("kind", Bytes(item.kind.word))
            place.withBytes { writer.field("name", $0) }
            writer.field("export", item.isExport)
            writer.field("section", table.sectionName(item))
            writer.field("permissions", table.permissions(item))
            writer.field("address", hex: item.range.start)
            writer.field("size", Int(clamping: item.range.count))
            writer.field("internal", hex: item.internalHash)
            writer.field("external", hex: item.externalHash)
            if let dependencies { writer.field("dependencies", hex: dependencies.hashes[index]) }
          }
        }
      }
    }
    writer.end()
    return writer.text
  }
}

extension JSONWriter {
  /// The newline behind a document.
  mutating func end() { text.append("\n") }
}
