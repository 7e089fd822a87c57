import Foundation
import Testing

@testable import LoaderCore

/// docs/ says what the tables in the code say.
@Suite struct DocumentationTests {
  func document(_ name: String) throws -> String {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return try String(contentsOf: tests.appendingPathComponent("../../docs/\(name)"), encoding: .utf8)
  }

  @Test func settings() throws {
    #expect(try document("settings.md").contains("\n" + Settings.documentation().string))
  }

  @Test(arguments: Setting.allCases) func settingsManual(setting: Setting) throws {
    let text = try document("man/ld-luci.conf.5")
    let name = String(decoding: Bytes(setting.row.name).copy(), as: UTF8.self)
    let help = String(decoding: Bytes(setting.row.help).copy(), as: UTF8.self)
    #expect(text.contains("\n\\fB\(name)\\fR="))
    #expect(text.replacing("\\-", with: "-").replacing("\\(aq", with: "'").contains(help.dropFirst() + ".\n"))
  }

  /// The man page of the loader names each setting with what it means.
  @Test(arguments: Setting.allCases) func manualPage(setting: Setting) throws {
    let page = try document("man/ld-luci.so.8").replacingOccurrences(of: "\\", with: "")
    let name = String(decoding: Bytes(setting.row.name).copy(), as: UTF8.self)
    let help = String(decoding: Bytes(setting.row.help).copy(), as: UTF8.self)
    #expect(page.contains(".B \(name)\n"))
    #expect(page.contains(": \(help)."))
  }

  @Test(arguments: StatusEvent.allCases) func statusEvents(event: StatusEvent) throws {
    let row = [event.code, event.word, event.reason].map { String(decoding: Bytes($0).copy(), as: UTF8.self) }
    #expect(try document("status.md").contains("| `\(row[0])` | \(row[1]) | \(row[2]) |\n"))
  }
}
