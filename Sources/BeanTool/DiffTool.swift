import Bean

/// `bean diff OLD NEW`: what changed, by name.
public struct DiffTool {
  let old: Subject
  let new: Subject
  let options: ToolOptions
  let comparison: ItemComparison
  let changes: [ItemChange]
  /// By index in the new table, with `-d`.
  private let dependencies: (old: DependencyHash, new: DependencyHash)?

  init(_ oldPath: String, _ newPath: String, _ options: ToolOptions) throws {
    let old = try Subject(oldPath, options)
    self.init(old, try Subject(newPath, options, like: old), options)
  }

  init(_ old: Subject, _ new: Subject, _ options: ToolOptions) {
    (self.old, self.new, self.options) = (old, new, options)
    comparison = ItemComparison(old.table, new.table, relaxation: options.relaxation)
    changes = comparison.changes()
    dependencies = options.includesDependencies ? (DependencyHash(old.table), DependencyHash(new.table)) : nil
  }

  /// Exit code 0: the same, 1: different.
  public static func run(_ old: String, _ new: String, _ options: ToolOptions) throws -> ToolResult {
    let tool = try DiffTool(old, new, options)
    var result = ToolResult()
    let interface = InterfaceChanges(tool.old.binary, tool.new.binary)
    result.code = interface.isEmpty && !tool.changes.contains { $0.isDifference } ? 0 : 1
    result.text = options.isJSON ? tool.json(interface) : tool.text(interface)
    return result
  }

  /// Without colours and listings.
  func plainText(_ interface: InterfaceChanges) -> Text {
    var options = self.options
    options.usesColours = false
    options.verbosity = min(options.verbosity, 1)
    return DiffTool(old, new, options).text(interface)
  }

  private func text(_ interface: InterfaceChanges) -> Text {
    var text = Text()
    append(interface, &text)
    let listings = options.verbosity >= 2 ? (Listing(old.table), Listing(new.table)) : nil
    for change in changes {
      guard change.isDifference || options.verbosity >= 1 && change.kind != .equal else {
        if let other = dependsOnChange(change) { append(dependent: other, &text) }
        continue
      }
      append(change, &text)
      guard let listings else { continue }
      if let a = change.old, let b = change.new {
        Listing.appendDifference(listings.0, a, listings.1, b, options, &text)
      } else if let a = change.old {
        listings.0.append(a, options, &text)
      } else if let b = change.new {
        listings.1.append(b, options, &text)
      }
    }
    return text
  }

  private func append(_ interface: InterfaceChanges, _ text: inout Text) {
    for list in interface.lists {
      for name in list.removed { append("-", .red, list.name, name, &text) }
      for name in list.added { append("+", .green, list.name, name, &text) }
    }
    if interface.sonames.old != interface.sonames.new {
      append("~", .yellow, "soname", "\(interface.sonames.old), now \(interface.sonames.new)", &text)
    }
    if interface.threadSizes.old != interface.threadSizes.new {
      let sizes = "\(interface.threadSizes.old) bytes, now \(interface.threadSizes.new)"
      append("~", .yellow, "thread-local storage", sizes, &text)
    }
  }

  private func append(
    _ mark: StaticString, _ colour: Colour, _ what: StaticString, _ name: String, _ text: inout Text
  ) {
    text.append(colour, options.usesColours) { (text) in
      text.append(mark)
      text.append(" ")
      text.append(what)
      text.append(" ")
      Array(name.utf8).withUnsafeBytes { text.append(name: Bytes($0)) }
    }
    text.append("\n")
  }

  private func append(_ change: ItemChange, _ text: inout Text) {
    let colour: Colour = change.kind == .added ? .green : change.kind == .removed ? .red : .yellow
    text.append(colour, options.usesColours) { (text) in
      text.append(change.kind == .added ? "+ " : change.kind == .removed ? "- " : "~ ")
      let (table, index) = place(change)
      text.append(table.items[index].kind.word)
      text.append(" ")
      text.append(item: index, of: table)
    }
    text.append(": ")
    text.append(change.kind.word)
    detail(change).withBytes { text.append($0) }
    text.append("\n")
  }

  /// Of both the new one, where there is one.
  func place(_ change: ItemChange) -> (ItemTable, Int) {
    if let index = change.new { return (new.table, index) }
    return (old.table, change.old ?? 0)
  }

  /// ", 24 bytes, now 32; now calls abs": the rest of a line, empty where there is nothing to add.
  func detail(_ change: ItemChange) -> Text {
    var text = Text()
    guard let a = change.old, let b = change.new else { return text }
    let (left, right) = (old.table.items[a], new.table.items[b])
    if change.kind != .equal, change.kind != .moved, left.range.count != right.range.count {
      text.append(", ")
      text.append(decimal: left.range.count)
      text.append(" bytes, now ")
      text.append(decimal: right.range.count)
    }
    if change.kind == .moved {
      text.append(", ")
      text.append(hex: left.range.start)
      text.append(" is now ")
      text.append(hex: right.range.start)
    }
    if let step = change.reference, left.first + step < left.end, right.first + step < right.end {
      text.append(", ")
      text.append(target: old.table.references[left.first + step].target, of: old.table)
      text.append(" is now ")
      text.append(target: new.table.references[right.first + step].target, of: new.table)
    } else if change.kind == .content {
      appendTargets(left, right, &text)
      appendStrings(left, right, &text)
    }
    return text
  }

  /// What changed code refers to that it did not before, and the other way round.
  private func appendTargets(_ left: Item, _ right: Item, _ text: inout Text) {
    let before = targets(left, old.table)
    let after = targets(right, new.table)
    let pairs = comparison.pairs
    let known = Set(before.map { $0.index >= 0 ? "\(pairs.newOfOld[$0.index])" : $0.name })
    let kept = Set(after.map { $0.index >= 0 ? "\($0.index)" : $0.name })
    let added = after.filter { !known.contains($0.index >= 0 ? "\($0.index)" : $0.name) }
    let gone = before.filter { !kept.contains($0.index >= 0 ? "\(pairs.newOfOld[$0.index])" : $0.name) }
    appendList("; now uses ", added.map(\.name), &text)
    appendList("; no longer uses ", gone.map(\.name), &text)
  }

  /// Items by index (imports: -1) with their names, each once.
  private func targets(_ item: Item, _ table: ItemTable) -> [(index: Int, name: String)] {
    var found: [(index: Int, name: String)] = []
    var seen: Set<String> = []
    for reference in table.references[item.first..<item.end] {
      let target = reference.target
      guard target.kind == .item || target.kind == .symbol else { continue }
      var text = Text()
      text.append(target: ItemTarget(place: target), of: table)
      let name = String(decoding: text.bytes, as: UTF8.self)
      if seen.insert(name).inserted { found.append((target.kind == .item ? Int(target.index) : -1, name)) }
    }
    return found
  }

  private func appendList(_ head: StaticString, _ names: [String], _ text: inout Text) {
    guard !names.isEmpty else { return }
    text.append(head)
    text.append(string: names.prefix(4).joined(separator: ", "))
    if names.count > 4 { text.append(string: " and \(names.count - 4) more") }
  }

  /// `"one" is now "two"`, for constants that are text.
  private func appendStrings(_ left: Item, _ right: Item, _ text: inout Text) {
    guard left.kind == .constant, let a = string(left, old.table), let b = string(right, new.table) else { return }
    text.append(string: ", \"\(a)\" is now \"\(b)\"")
  }

  private func string(_ item: Item, _ table: ItemTable) -> String? {
    let content = table.content(of: item)
    guard content.count > 0, item.first == item.end else { return nil }
    for index in 0..<content.count where !(0x20..<0x7f).contains(content[index]) { return nil }
    let shown = String(bytes: content.slice(at: 0, count: UInt64(min(content.count, 40))) ?? .empty)
    return content.count > 40 ? shown + "…" : shown
  }

  // MARK: - Dependencies

  /// An item that is equal itself, while something that it depends on is not.
  func dependsOnChange(_ change: ItemChange) -> Int? {
    guard let dependencies, let a = change.old, let b = change.new, !change.isDifference,
      new.table.items[b].kind == .function, dependencies.old.hashes[a] != dependencies.new.hashes[b]
    else { return nil }
    return b
  }

  private func append(dependent index: Int, _ text: inout Text) {
    text.append(.grey, options.usesColours) { (text) in
      text.append("  ")
      text.append(new.table.items[index].kind.word)
      text.append(" ")
      text.append(item: index, of: new.table)
      text.append(": depends on something that changed")
    }
    text.append("\n")
  }
}

extension ItemTarget {
  /// The same without the offset.
  init(place other: ItemTarget) { self.init(other.kind, Int(other.index)) }
}

extension ItemChange {
  /// Mere moves make no difference to what the object does.
  public var isDifference: Bool { kind != .equal && kind != .moved }
}
