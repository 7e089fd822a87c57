/// Columns for people. Control characters in names are shown as `?`, since a terminal would obey them.
public struct Table {
  private var rows: [[String]]

  public init(_ header: [String]) { rows = [header] }

  public mutating func add(_ row: [String]) { rows.append(row.map(Self.harmless)) }

  /// Text between the rows that is in no column.
  public mutating func add(line: String) { rows.append([Self.harmless(line)]) }

  /// The last column is not padded.
  public var text: String {
    var widths: [Int] = []
    for row in rows where row.count > 1 {
      for (index, cell) in row.enumerated() {
        if index == widths.count { widths.append(0) }
        widths[index] = max(widths[index], cell.count)
      }
    }
    return rows.map { row in
      row.enumerated().map { index, cell in
        index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
      }.joined(separator: "  ") + "\n"
    }.joined()
  }

  public static func harmless(_ text: String) -> String {
    String(text.unicodeScalars.map { $0.value < 32 || (127..<160).contains($0.value) ? "?" : Character($0) })
  }
}
