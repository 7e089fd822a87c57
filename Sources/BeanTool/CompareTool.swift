import Bean

/// `bean compare DIR|FILES…`: many versions of one library, what changed from each to the next, and from which to
/// which one a running program can go without a restart.
public struct CompareTool {
  /// From one version to another.
  public struct Cell {
    let verdict: Verdict
    /// Codes of its reasons, each once.
    let codes: [String]

    init(_ verdict: Verdict) {
      self.verdict = verdict
      var codes: [String] = []
      for reason in verdict.reasons where !codes.contains(reason.kind.code.description) {
        codes.append(reason.kind.code.description)
      }
      self.codes = codes
    }

    /// What a user does about the update.
    var answer: String {
      if verdict.hooksTakeState { return "while running, by its hooks" }
      return verdict.isApplicable ? "while running" : "needs a restart"
    }
  }

  public struct Step {
    let old: Int
    let tool: DiffTool
    let counts: [ChangeCounts]
    let interface: InterfaceChanges
    let cell: Cell
    /// The same bytes.
    let isSame: Bool
  }

  let names: [String]
  let subjects: [Subject]
  let steps: [Step]
  /// By old and new index; nil where there is nothing to ask.
  let matrix: [[Cell?]]

  /// More versions than this are compared with their neighbours only, since the matrix grows with the square.
  private static var maximumMatrix: Int { 24 }

  public init(_ paths: [String], _ options: ToolOptions) throws {
    let list = try VersionList(paths)
    names = list.versions.map(\.name)
    var subjects: [Subject] = []
    for version in list.versions { subjects.append(try Subject(version.path, options, like: subjects.last)) }
    self.subjects = subjects
    var steps: [Step] = []
    var matrix = [[Cell?]](repeating: [Cell?](repeating: nil, count: names.count), count: names.count)
    for old in names.indices {
      for new in names.indices where new != old {
        guard new == old + 1 || names.count <= CompareTool.maximumMatrix else { continue }
        matrix[old][new] = Cell(Bean.compare(old: subjects[old].binary, new: subjects[new].binary))
      }
      guard old + 1 < names.count, let cell = matrix[old][old + 1] else { continue }
      let tool = DiffTool(subjects[old], subjects[old + 1], options)
      steps.append(
        Step(
          old: old, tool: tool, counts: DiffStatTool.counts(tool),
          interface: InterfaceChanges(subjects[old].binary, subjects[old + 1].binary), cell: cell,
          isSame: subjects[old].file.bytes == subjects[old + 1].file.bytes))
    }
    self.steps = steps
    self.matrix = matrix
  }

  /// Exit code 0: no step needs a restart, 1: some does. `html`: the page instead of the table.
  public static func run(_ paths: [String], _ options: ToolOptions) throws -> (result: ToolResult, html: Text) {
    let tool = try CompareTool(paths, options)
    var result = ToolResult()
    result.code = tool.steps.contains { !$0.cell.verdict.isApplicable } ? 1 : 0
    result.text = options.isJSON ? tool.json() : tool.table(options)
    return (result, tool.html())
  }

  var hasMatrix: Bool { names.count > 2 && names.count <= CompareTool.maximumMatrix }

  // MARK: - Terminal

  private func table(_ options: ToolOptions) -> Text {
    var text = Text()
    let width = max(names.map(\.count).max() ?? 0, 7)
    text.append(
      string: "version".padding(to: width) + "  functions: equal  changed  added  gone   variables  update\n")
    text.append(string: names[0] + "\n")
    for step in steps {
      let (functions, variables) = (step.counts[0], step.counts[2])
      let changed = functions.changed + functions.refersElsewhere
      text.append(string: names[step.old + 1].padding(to: width))
      let columns = [
        (functions.equal, 18), (changed, 9), (functions.added, 7), (functions.removed, 6),
        (variables.changed + variables.resized + variables.added + variables.removed + variables.moved, 12),
      ]
      for (value, width) in columns {
        let digits = String(value)
        text.append(string: String(repeating: " ", count: max(width - digits.count, 1)) + digits)
      }
      text.append("  ")
      append(step, options, &text)
    }
    if hasMatrix { appendMatrix(options, &text) }
    return text
  }

  private func append(_ step: Step, _ options: ToolOptions, _ text: inout Text) {
    let verdict = step.cell.verdict
    text.append(verdict.isApplicable ? .green : .red, options.usesColours) { (text) in
      text.append(string: step.isSame ? "same file" : step.cell.answer)
    }
    if !verdict.isApplicable { text.append(string: ": " + step.cell.codes.joined(separator: ", ")) }
    if verdict.riskCount > 0 { text.append(", risk: layout of structures") }
    text.append("\n")
    guard options.verbosity >= 1 else { return }
    for reason in verdict.reasons.prefix(options.verbosity >= 2 ? .max : 3) {
      text.append("    ")
      text.append(reason)
      text.append("\n")
    }
  }

  /// Rows: what runs; columns: what it is to become.
  private func appendMatrix(_ options: ToolOptions, _ text: inout Text) {
    let width = max(names.map(\.count).max() ?? 0, 7)
    text.append(string: "\nfrom \\ to".padding(to: width + 1))
    for index in names.indices { text.append(string: " \(index + 1)".padding(to: 4)) }
    text.append("\n")
    for old in names.indices {
      text.append(string: "\(old + 1) \(names[old])".padding(to: width + 3))
      for new in names.indices {
        guard let cell = matrix[old][new] else {
          text.append(" .  ")
          continue
        }
        let isAccepted = cell.verdict.isApplicable
        text.append(isAccepted ? .green : .red, options.usesColours) { $0.append(isAccepted ? " +  " : " x  ") }
      }
      text.append("\n")
    }
    text.append("+ while running, x needs a restart\n")
  }
}
