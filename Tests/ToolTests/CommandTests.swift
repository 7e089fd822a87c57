import Bean
import BeanTool
import Foundation
import Testing

@Suite(.timeLimit(.minutes(3)))
struct CommandTests {
  let library = try! Library()

  private func pair() throws -> (old: String, new: String) {
    let changed = try Source.mutated("x * 7", "x * 11").replacingOccurrences(
      of: "int extra(void) { return 5; }", with: "int fresh(void) { return 6; }")
    return (try library.build(Source.base, ["-O1"]), try library.build(changed, ["-O1"]))
  }

  // MARK: - check

  @Test func check() throws {
    let (old, new) = try pair()
    #expect(CheckTool.run(old, old, isJSON: false).string.hasPrefix("applicable\nproof: "))
    let refused = CheckTool.run(old, new, isJSON: true)
    #expect(refused.code == 1)
    let reasons = try refused.object()["reasons"] as? [[String: Any]]
    #expect(reasons?.map { $0["code"] as? String } == ["export-missing"])
  }

  /// Every kind of refusal that mutations lead to has its code.
  @Test(arguments: [
    ("second = 4", "second = 5", "state-content"), ("second = 4", "second = 4, third = 5", ""),
    ("__thread int local = 4;", "__thread int local = 4, more;", "tls-layout"),
    ("first = 3, second = 4", "first = 3, second[9] = {4}", "state-size"),
    ("int extra(void) { return 5; }", "", "export-missing"),
  ])
  func refusals(_ part: String, _ other: String, _ code: String) throws {
    let changed = try Source.mutated(part, other).replacingOccurrences(
      of: "second -= x; return x * 9 - second",
      with: other.contains("[9]") ? "second[x] -= x; return x * 9 - second[1]" : "second -= x; return x * 9 - second")
    let result = CheckTool.run(
      try library.build(Source.base, ["-O1"]), try library.build(changed, ["-O1"]), isJSON: true)
    let codes = (try result.object()["reasons"] as? [[String: Any]] ?? []).compactMap { $0["code"] as? String }
    #expect(code.isEmpty ? codes.isEmpty : codes.contains(code), "\(codes)")
  }

  /// The loader's own answer, word for word.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["LUCI_LOADER"] != nil, "LUCI_LOADER names no loader"))
  func checkAsTheLoader() throws {
    let loader = try #require(ProcessInfo.processInfo.environment["LUCI_LOADER"])
    let (old, new) = try pair()
    let text = library.file("text")
    try "no library".write(toFile: text, atomically: true, encoding: .utf8)
    for (a, b) in [(old, old), (old, new), (old, text), (text, old)] {
      for isJSON in [false, true] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: loader)
        process.arguments = ["--check"] + (isJSON ? ["--json"] : []) + [a, b]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let own = CheckTool.run(a, b, isJSON: isJSON)
        #expect(own.string == said)
        #expect(own.code == process.terminationStatus)
      }
    }
  }

  @Test func checkErrors() throws {
    let text = library.file("text")
    try "no library".write(toFile: text, atomically: true, encoding: .utf8)
    let old = try library.build(Source.base)
    for (a, b) in [(text, old), (old, text), (old, "/missing"), (old, library.directory.path)] {
      let result = CheckTool.run(a, b, isJSON: false)
      #expect(result.code == 2)
      #expect(result.string.hasPrefix("error: ") && result.lines.count == 1)
      #expect(try CheckTool.run(a, b, isJSON: true).object()["verdict"] as? String == "error")
    }
  }

  /// Hooks take over state that can't be shared: no restart is needed.
  @Test func hooks() throws {
    let source =
      "int value = 3; int get(void) { return value; } void *__luci_serialize(int a) { return &value; }"
      + " void __luci_deserialize(void *p) { value = *(int *)p; }"
    let old = try library.build(source, ["-O1"], name: "hooks/1")
    let new = try library.build(
      source.replacingOccurrences(of: "value = 3", with: "value = 4"), ["-O1"], name: "hooks/2")
    let check = CheckTool.run(old, new, isJSON: true)
    #expect(check.code == 0)
    #expect(try check.object()["hooks_take_state"] as? Bool == true)
    let (result, html) = try CompareTool.run([library.file("hooks")], ToolOptions())
    #expect(result.code == 0)
    #expect(result.lines.contains { $0.hasSuffix("while running, by its hooks") }, "\(result.string)")
    #expect(String(decoding: html.bytes, as: UTF8.self).contains("while running, by its hooks"))
  }

  // MARK: - diffstat, map

  @Test func diffstat() throws {
    let (old, new) = try pair()
    let object = try DiffStatTool.run(old, new, ToolOptions()).object()
    let functions = try #require(object["functions"] as? [String: Int])
    #expect(functions["changed"] == 1 && functions["added"] == 1 && functions["removed"] == 1)
    #expect(functions["equal"] == (functions["new"] ?? 0) - 2)
    let interface = try #require(object["interface"] as? [String: Any])
    #expect(interface["exports_added"] as? [String] == ["fresh"])
    #expect(interface["exports_removed"] as? [String] == ["extra"])
    #expect((object["check"] as? [String: Any])?["verdict"] as? String == "refused")
  }

  @Test func map() throws {
    let old = try library.build(Source.base, ["-O1"])
    let changed = try Source.mutated("first = 3, second = 4", "first = 3, middle = 9, second = 4")
      .replacingOccurrences(of: "return 77 +", with: "return middle++ +")
    let result = try MapTool.run(old, try library.build(changed, ["-O1"]), ToolOptions())
    for line in [
      "new     variable middle ", "changed function choose ", "kept    function helper ",
    ] { #expect(result.lines.contains { $0.hasPrefix(line) }, "\(line) is not in\n\(result.string)") }
    #expect(!result.string.contains("gone"))
    var options = ToolOptions()
    options.isJSON = true
    let entries = try MapTool.run(old, old, options).object()["map"] as? [[String: Any]]
    #expect(entries?.allSatisfy { $0["fate"] as? String == "kept" } == true)
  }

  /// What `map` says of variables is what the verdict goes by.
  @Test func mapAsTheVerdict() throws {
    let source = """
      static long counts[3] = {1, 2, 3}; static const char *name = "one"; static int (*hook)(int); static int moved = 5;
      __attribute__((noinline)) static int own(int x) { return x + moved++; }
      int set(int i) { hook = own; return counts[i % 3]++ + name[i] + hook(i); }
      long get(int i) { return counts[i % 3] + moved; } const char *text(void) { return name; }
      """
    let old = try library.build(source, ["-O1", "-s", "-fno-toplevel-reorder"])
    let changed = source.replacingOccurrences(
      of: "static int moved = 5;", with: "static int before = 7, moved = 5; int fresh(void) { return before++; }"
    ).replacingOccurrences(of: "\"one\"", with: "\"two\"")
    let new = try library.build(changed, ["-O1", "-s", "-fno-toplevel-reorder"])
    var options = ToolOptions()
    options.isJSON = true
    let object = try MapTool.run(old, new, options).object()
    let variables = try #require(object["map"] as? [[String: Any]]).filter { $0["kind"] as? String == "variable" }
    let pairs = VersionMatch(try binary(old), try binary(new)).variables
    #expect(variables.count == pairs.count)
    for (entry, pair) in zip(variables, pairs) {
      #expect(entry["evidence"] as? String == pair.evidence.code.description)
      #expect(
        (entry["new"] as? [String: Any])?["address"] as? String == pair.new.map { "0x" + String($0.start, radix: 16) }
      )
    }
    // Compared symbolically: the pointer's number is another one in any case.
    let other = variables.filter { $0["content_equal"] as? Bool == false && $0["old"] != nil && $0["new"] != nil }
    #expect(other.count == 1)
    #expect(variables.filter { $0["fate"] as? String == "new" }.count == 1)
    // The item tables that diff and diffstat go by have the same pairs.
    let counts = try #require(try DiffStatTool.run(old, new, options).object()["variables"] as? [String: Int])
    #expect(counts["added"] == 1 && counts["removed"] == 0)
  }

  private func binary(_ path: String) throws -> Binary { try Binary(InputFile(path).bytes) }

  @Test func grownVariable() throws {
    let old = try library.build("int list[4] = {1}; int get(int i) { return list[i]; }", ["-O1"])
    let new = try library.build("int list[6] = {1}; int get(int i) { return list[i]; }", ["-O1"])
    #expect(try MapTool.run(old, new, ToolOptions()).lines.contains { $0.hasPrefix("grown   variable list ") })
    #expect(try MapTool.run(new, old, ToolOptions()).lines.contains { $0.hasPrefix("shrunk  variable list ") })
  }

  /// The export that is gone and the one that is new are alike, but nobody who used the one can use the other.
  @Test(arguments: ["return 5;", "return 6;"])
  func exportsAreNotExchanged(_ body: String) throws {
    let changed = try Source.mutated("int extra(void) { return 5; }", "int fresh(void) { \(body) }")
    for options in [["-O1"], ["-O1", "-s"]] {
      let (old, new) = (try library.build(Source.base, options), try library.build(changed, options))
      let lines = try DiffTool.run(old, new, ToolOptions()).lines
      #expect(
        lines == [
          "- export extra", "+ export fresh", "+ function fresh: added", "- function extra: removed",
        ])
      let map = try MapTool.run(old, new, ToolOptions()).lines
      #expect(map.contains { $0.hasPrefix("new     function fresh ") })
      #expect(map.contains { $0.hasPrefix("gone    function extra ") })
      #expect(CheckTool.run(old, new, isJSON: false).string.contains(" 0 changed, 1 added, 1 removed; "))
    }
  }

  /// The same name with another symbol version: another symbol, but the same function.
  @Test func otherSymbolVersion() throws {
    let script = library.file("script")
    let versions = try ["ONE", "TWO"].map { (version) -> String in
      try "\(version) { global: *; };".write(toFile: script, atomically: true, encoding: .utf8)
      return try library.build(Source.base, ["-O1", "-s", "-Wl,--version-script=" + script])
    }
    let lines = try DiffTool.run(versions[0], versions[1], ToolOptions()).lines
    #expect(lines.contains("- export extra@ONE") && lines.contains("+ export extra@TWO"))
    #expect(!lines.contains { $0.contains("import") }, "\(lines)")
    // It uses an exported variable.
    #expect(
      lines.filter { $0.contains("function") } == ["~ function choose: refers-elsewhere, local@ONE is now local@TWO"])
  }

  // MARK: - graph

  @Test func graph() throws {
    let (old, new) = try pair()
    var content = GraphTool.Content()
    let one = try GraphTool.run(old, ToolOptions(), content).string
    #expect(one.hasPrefix("digraph bean {") && one.hasSuffix("}\n"))
    #expect(one.contains("label=\".text\"") && one.contains("label=\"choose\"]") && !one.contains("malloc"))
    content.includesExternal = true
    content.includesData = true
    let all = try GraphTool.run(old, ToolOptions(), content).string
    #expect(all.contains("label=\"malloc\"") && all.contains("label=\"powers\", shape=note"))
    content = GraphTool.Content()
    content.changesOnly = true
    let changes = try GraphTool.run(old, new, ToolOptions(), content).string
    #expect(changes.contains("label=\"helper\", fillcolor=gold"))
    #expect(changes.contains("label=\"fresh\", fillcolor=palegreen"))
    #expect(changes.contains("[fillcolor=lightpink, label=\"extra\"]"))
    #expect(changes.contains("label=\"choose\"]") && !changes.contains("\"lookup\""))
    // helper is called by choose.
    let node = try #require(changes.firstMatch(of: /n(\d+) \[label="choose"/)?.1)
    let callee = try #require(changes.firstMatch(of: /n(\d+) \[label="helper"/)?.1)
    #expect(changes.contains("n\(node) -> n\(callee);"))
  }

  // MARK: - compare

  @Test func compare() throws {
    let sources = [
      Source.base, try Source.mutated("x * 7", "x * 11"), try Source.mutated("second = 4", "second = 5"),
      try Source.mutated("second = 4", "second = 5"),
    ]
    for (index, source) in sources.enumerated() {
      _ = try library.build(source, ["-O1"], name: "versions/1.\(index + 8)/usr/lib")
    }
    let directory = library.file("versions")
    let (result, html) = try CompareTool.run([directory], ToolOptions())
    #expect(result.code == 1)
    // Sorted by number: 1.8, 1.9, 1.10, 1.11.
    #expect(result.lines[1] == "1.8" && result.lines[2].hasPrefix("1.9 ") && result.lines[3].hasPrefix("1.10 "))
    #expect(result.lines[2].hasSuffix("while running"))
    #expect(result.lines[3].hasSuffix("needs a restart: state-content"))
    #expect(result.lines[4].hasSuffix("same file"))
    let page = String(decoding: html.bytes, as: UTF8.self)
    #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains("state-content") && !page.contains("http"))
    var options = ToolOptions()
    options.isJSON = true
    let object = try CompareTool.run([directory], options).result.object()
    #expect((object["versions"] as? [[String: Any]])?.count == 4)
    let matrix = try #require(object["matrix"] as? [[Any]])
    #expect(matrix[0][1] as? Bool == true && matrix[0][2] as? Bool == false && matrix[0][0] is NSNull)
    #expect(throws: ToolError.self) { try CompareTool.run([library.file("versions/1.8")], ToolOptions()) }
  }

  // MARK: - listings

  @Test func disassemblyShowsWhatIsMasked() throws {
    let (old, new) = try pair()
    var options = ToolOptions()
    options.verbosity = 3
    let lines = try DiffTool.run(old, new, options).lines
    #expect(lines.contains { $0.hasPrefix("   - ") && $0.contains("sub eax, edi") || $0.contains("imul") })
    let hash = try HashTool.run(old, options).lines
    #expect(hash.contains { $0.contains("e8........") && $0.contains("call <helper>") })
    #expect(hash.contains { $0.contains("load+store 4 bytes at") || $0.contains("store 4 bytes at") })
    #expect(!hash.contains { $0.contains("\u{1b}[") })
    options.usesColours = true
    #expect(try HashTool.run(old, options).string.contains("\u{1b}[90m"))
  }

  @Test func emptySymbols() throws {
    let source = "asm(\".globl mark\\n.type mark, @function\\nmark:\"); int one(void) { return 1; }"
    let file = try library.build(source + "asm(\".data\\nspot: .type spot, @object\\n.long 4\\n.text\");", ["-O1"])
    var options = ToolOptions()
    #expect(try !HashTool.run(file, options).string.contains(" label "))
    options.items.keepsEmpty = true
    #expect(try HashTool.run(file, options).string.contains(" label "))
  }
}
