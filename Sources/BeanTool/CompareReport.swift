import Bean

extension CompareTool {
  func json() -> Text {
    var writer = JSONWriter()
    writer.object { (writer) in
      writer.key("versions")
      writer.array { (writer) in
        for (name, subject) in zip(names, subjects) {
          writer.object {
            $0.field("name", name)
            $0.field("file", subject.file.path)
            $0.field("size", subject.file.bytes.count)
            $0.field("build_id", (try? DebugLinks(subject.file.bytes))?.buildIDText ?? "")
          }
        }
      }
      writer.key("steps")
      writer.array { (writer) in for step in steps { write(step, &writer) } }
      guard hasMatrix else { return }
      writer.key("matrix")
      writer.array { (writer) in
        for row in matrix {
          writer.array { (writer) in
            for cell in row { if let cell { writer.value(cell.verdict.isApplicable) } else { writer.null() } }
          }
        }
      }
    }
    writer.end()
    return writer.text
  }

  private func write(_ step: Step, _ writer: inout JSONWriter) {
    writer.object { (writer) in
      writer.field("old", names[step.old])
      writer.field("new", names[step.old + 1])
      writer.field("same", step.isSame)
      for (key, count) in zip(
        ["functions", "constants", "variables", "thread_variables"] as [StaticString], step.counts)
      {
        writer.key(key)
        count.write(&writer)
      }
      step.tool.write(step.interface, &writer)
      writer.key("check")
      writer.value(step.cell.verdict)
    }
  }

  // MARK: - HTML

  /// One page without anything from elsewhere.
  func html() -> Text {
    var text = Text()
    text.append(CompareTool.head)
    text.append("<h1>")
    text.append(markup: subjects[0].file.path)
    text.append(
      string: "</h1>\n<p>\(names.count) versions.</p>\n<table><tr><th>from<th>to<th>functions equal<th>changed")
    text.append("<th>added<th>gone<th>variables<th>update\n")
    for step in steps { appendRow(step, &text) }
    text.append("</table>\n")
    if hasMatrix { appendMatrix(&text) }
    for step in steps { appendDetails(step, &text) }
    text.append("</html>\n")
    return text
  }

  private static var head: StaticString {
    """
    <!DOCTYPE html>
    <html lang="en"><meta charset="utf-8"><title>bean compare</title>
    <style>
    body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
    table { border-collapse: collapse; margin: 1em 0 } th, td { border: 1px solid #bbb; padding: .25em .6em }
    th { background: #eee; text-align: left } td.n { text-align: right } code { font-size: 13px }
    .yes { background: #d9f2d9 } .no { background: #f8d7d7 } .risk { background: #fff3c4 }
    </style>

    """
  }

  private func appendRow(_ step: Step, _ text: inout Text) {
    let (functions, variables) = (step.counts[0], step.counts[2])
    let isAccepted = step.cell.verdict.isApplicable
    text.append("<tr><td>")
    text.append(markup: names[step.old])
    text.append("<td>")
    text.append(markup: names[step.old + 1])
    let columns = [
      functions.equal, functions.changed + functions.refersElsewhere, functions.added, functions.removed,
      variables.changed + variables.resized + variables.added + variables.removed + variables.moved,
    ]
    for value in columns { text.append(string: "<td class=n>\(value)") }
    let risk = step.cell.verdict.riskCount > 0
    text.append(string: "<td class=\(isAccepted ? risk ? "risk" : "yes" : "no")><a href=\"#s\(step.old)\">")
    text.append(string: step.isSame ? "same file" : step.cell.answer)
    text.append("</a>")
    if !isAccepted { text.append(markup: ": " + step.cell.codes.joined(separator: ", ")) }
    text.append("\n")
  }

  private func appendMatrix(_ text: inout Text) {
    text.append("<table><tr><th>from \\ to")
    for name in names {
      text.append("<th>")
      text.append(markup: name)
    }
    for (old, name) in names.enumerated() {
      text.append("\n<tr><th>")
      text.append(markup: name)
      for cell in matrix[old] {
        guard let cell else {
          text.append("<td>")
          continue
        }
        text.append(string: "<td class=\(cell.verdict.isApplicable ? "yes" : "no") title=\"")
        text.append(markup: cell.codes.joined(separator: ", "))
        text.append(cell.verdict.isApplicable ? "\">running" : "\">restart")
      }
    }
    text.append("\n</table>\n")
  }

  private func appendDetails(_ step: Step, _ text: inout Text) {
    text.append(string: "<h2 id=\"s\(step.old)\">")
    text.append(markup: "\(names[step.old]) → \(names[step.old + 1])")
    text.append("</h2>\n<pre>")
    var report = Text()
    report.append(step.cell.verdict)
    text.append(markup: String(decoding: report.bytes, as: UTF8.self))
    text.append("</pre>\n<details><summary>What changed</summary><pre>")
    text.append(markup: String(decoding: step.tool.plainText(step.interface).bytes, as: UTF8.self))
    text.append("</pre></details>\n")
  }
}

extension Text {
  /// With what HTML gives a meaning of its own escaped.
  mutating func append(markup string: String) {
    for byte in string.utf8 {
      switch byte {
      case UInt8(ascii: "<"): append("&lt;")
      case UInt8(ascii: ">"): append("&gt;")
      case UInt8(ascii: "&"): append("&amp;")
      case UInt8(ascii: "\""): append("&quot;")
      default: append(byte: byte)
      }
    }
  }
}
