import Bean

/// `-vv` and `-vvv`: what an item consists of.
struct Listing {
  private let table: ItemTable
  private let disassembler: Disassembler

  init(_ table: ItemTable) {
    self.table = table
    disassembler = Disassembler(table)
  }

  func append(_ index: Int, _ options: ToolOptions, _ text: inout Text) {
    for line in disassembler.lines(of: index) { Listing.append(line, " ", nil, options, &text) }
  }

  static func append(
    _ line: Disassembler.Line, _ mark: StaticString, _ colour: Colour?, _ options: ToolOptions, _ text: inout Text
  ) {
    let body = { (text: inout Text) in
      text.append("   ")
      text.append(mark)
      text.append(" +")
      text.append(hex: line.offset, width: 4)
      text.append("  ")
      text.append(string: line.bytes.padding(to: 22))
      text.append("  ")
      text.append(string: line.text)
    }
    if let colour { text.append(colour, options.usesColours, body) } else { body(&text) }
    text.append("\n")
    if options.verbosity >= 3, let use = line.use {
      text.append("             ")
      text.append(.grey, options.usesColours) { $0.append(string: use) }
      text.append("\n")
    }
  }

  /// Two versions, lines that only one of them has marked with - and +.
  static func appendDifference(
    _ old: Listing, _ oldIndex: Int, _ new: Listing, _ newIndex: Int, _ options: ToolOptions, _ text: inout Text
  ) {
    let (left, right) = (old.disassembler.lines(of: oldIndex), new.disassembler.lines(of: newIndex))
    for step in LineDifference.steps(left.map(\.key), right.map(\.key)) {
      switch step {
      case .both(_, let b): append(right[b], " ", nil, options, &text)
      case .old(let a): append(left[a], "-", .red, options, &text)
      case .new(let b): append(right[b], "+", .green, options, &text)
      }
    }
  }
}

extension Disassembler.Line {
  /// What makes two lines the same.
  var key: String { bytes + " " + text }
}

extension String {
  func padding(to width: Int) -> String {
    count >= width ? self : self + String(repeating: " ", count: width - count)
  }
}

/// The shortest way from one list of lines to another.
enum LineDifference {
  enum Step: Equatable {
    case both(Int, Int)
    case old(Int)
    case new(Int)
  }

  /// More cells than this are not worth the time: the middle is then shown as replaced.
  private static var maximumCells: Int { 4_000_000 }

  static func steps(_ old: [String], _ new: [String]) -> [Step] {
    var head = 0
    while head < min(old.count, new.count), old[head] == new[head] { head += 1 }
    var tail = 0
    while tail < min(old.count, new.count) - head, old[old.count - 1 - tail] == new[new.count - 1 - tail] {
      tail += 1
    }
    var steps: [Step] = (0..<head).map { .both($0, $0) }
    steps += middle(old, new, head..<old.count - tail, head..<new.count - tail)
    for step in 0..<tail { steps.append(.both(old.count - tail + step, new.count - tail + step)) }
    return steps
  }

  /// The longest common subsequence by dynamic programming.
  private static func middle(_ old: [String], _ new: [String], _ a: Range<Int>, _ b: Range<Int>) -> [Step] {
    guard !a.isEmpty, !b.isEmpty, a.count * b.count <= maximumCells else {
      return a.map { .old($0) } + b.map { .new($0) }
    }
    let width = b.count + 1
    var lengths = [Int32](repeating: 0, count: (a.count + 1) * width)
    for i in stride(from: a.count - 1, through: 0, by: -1) {
      for j in stride(from: b.count - 1, through: 0, by: -1) {
        lengths[i * width + j] =
          old[a.lowerBound + i] == new[b.lowerBound + j]
          ? lengths[(i + 1) * width + j + 1] + 1 : max(lengths[(i + 1) * width + j], lengths[i * width + j + 1])
      }
    }
    var steps: [Step] = []
    var (i, j) = (0, 0)
    while i < a.count || j < b.count {
      if i < a.count, j < b.count, old[a.lowerBound + i] == new[b.lowerBound + j] {
        steps.append(.both(a.lowerBound + i, b.lowerBound + j))
        (i, j) = (i + 1, j + 1)
      } else if j >= b.count || i < a.count && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
        steps.append(.old(a.lowerBound + i))
        i += 1
      } else {
        steps.append(.new(b.lowerBound + j))
        j += 1
      }
    }
    return steps
  }
}
