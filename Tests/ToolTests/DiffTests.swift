import BeanTool
import Testing

@Suite(.timeLimit(.minutes(3)))
struct DiffTests {
  let library = try! Library()

  private func diff(_ old: String, _ new: String, _ options: ToolOptions = ToolOptions()) throws -> ToolResult {
    try DiffTool.run(old, new, options)
  }

  @Test(arguments: [["-O1", "-s"], ["-O2", "-g"], ["-O0"]])
  func selfIsEqual(_ options: [String]) throws {
    let file = try library.build(Source.base, options)
    let result = try diff(file, file)
    #expect(result.string == "")
    #expect(result.code == 0)
  }

  /// Another directory, another base address, padding between and in front of all functions.
  @Test(arguments: [
    ["-O1", "-s", "-falign-functions=64"], ["-O1", "-s", "-Wl,-Ttext-segment=0x400000"],
    ["-O1", "-s", "-Wl,-z,noseparate-code"], ["-O1", "-s", "-Wl,-z,pack-relative-relocs"],
    ["-O1", "-s", "-Wl,--hash-style=sysv"], ["-O1", "-s", "-g"],
  ])
  func movedCodeIsEqual(_ options: [String]) throws {
    let result = try diff(try library.build(Source.base), try library.build(Source.base, options))
    #expect(result.string == "")
    #expect(result.code == 0)
  }

  struct Mutation: Sendable, CustomTestStringConvertible {
    let name: String
    let part: String
    let other: String
    /// What a line of the output must be or begin with.
    let found: [String]
    /// The same in a stripped file, where that differs.
    var strippedFound: [String]?
    var testDescription: String { name }
  }

  static let mutations = [
    Mutation(
      name: "constant in code", part: "x * 7", other: "x * 11", found: ["~ function helper: changed"],
      strippedFound: ["~ function .text+"]),
    Mutation(
      name: "constant in data", part: "100, 1000", other: "100, 1001", found: ["~ constant powers: changed"],
      strippedFound: ["~ constant .rodata+"]),
    Mutation(
      name: "string", part: "\"one\"", other: "\"two\"",
      found: ["~ constant .rodata+0x0: changed, \"one\" is now \"two\""]),
    Mutation(
      name: "new call", part: "return 77 + local", other: "return 77 + local + atoi(name)",
      found: ["+ import strtol@GLIBC_2.2.5", "~ function choose: changed"]),
    Mutation(
      name: "new variable in the middle", part: "first = 3, second = 4;",
      other: "first = 3, middle = 8, second = 4; int fresh(void) { return middle++; }",
      found: ["+ export fresh", "+ function fresh: added", "+ variable middle: added"],
      strippedFound: ["+ export fresh", "+ function fresh: added", "+ variable .data+"]),
    Mutation(
      name: "used new variable", part: "return 77 + local", other: "return ++added + local",
      found: ["+ variable added: added", "~ function choose: changed"],
      strippedFound: ["+ variable .bss+", "~ function choose: changed"]),
    Mutation(
      name: "changed initialiser", part: "second = 4", other: "second = 5",
      found: ["~ variable second: changed"], strippedFound: ["~ variable .data+"]),
    Mutation(
      name: "removed export", part: "int extra(void) { return 5; }", other: "",
      found: ["- export extra", "- function extra: removed"]),
    Mutation(
      name: "thread-local storage", part: "__thread int local = 4;", other: "__thread int local = 4, more;",
      found: ["+ export more", "~ thread-local storage 4 bytes, now 8", "+ thread-variable more: added"]),
    Mutation(
      name: "field of a structure", part: "long key; long value;", other: "long key; long flags; long value;",
      found: ["~ function insert: changed", "~ function lookup: changed", "~ function total: changed"]),
    Mutation(
      name: "another callee", part: "case 4: return helper(3)", other: "case 4: return other(3)",
      found: ["~ function choose: refers-elsewhere, helper is now other"],
      strippedFound: ["~ function choose: refers-elsewhere, .text+"]),
  ]

  @Test(arguments: mutations, [false, true])
  func mutationIsNamed(_ mutation: Mutation, isStripped: Bool) throws {
    let options = isStripped ? ["-O1", "-s"] : ["-O1"]
    let changed = try Source.mutated(mutation.part, mutation.other)
      .replacingOccurrences(of: "static struct item *items;", with: "static struct item *items; static int added;")
    let old = try library.build(Source.base, options)
    let new = try library.build(changed, options)
    let result = try diff(old, new)
    let expected = isStripped ? mutation.strippedFound ?? mutation.found : mutation.found
    for line in expected {
      #expect(result.lines.contains { $0.hasPrefix(line) }, "\(line) is not in\n\(result.string)")
    }
    #expect(result.code == (expected.isEmpty ? 0 : 1), "\(result.string)")
    #expect(result.lines.count <= expected.count + 1, "more than what changed:\n\(result.string)")
  }

  /// Two variables that change places: all code stays the same, and so does what it refers to.
  @Test func swappedVariables() throws {
    let old = try library.build(Source.base, ["-O1", "-fno-toplevel-reorder"])
    let changed = try Source.mutated("first = 3, second = 4", "second = 4, first = 3")
    let new = try library.build(changed, ["-O1", "-fno-toplevel-reorder"])
    #expect(try diff(old, new).code == 0)
    var options = ToolOptions()
    options.verbosity = 1
    let moved = try diff(old, new, options).lines.filter { $0.contains(": moved") }
    #expect(moved.contains { $0.hasPrefix("~ variable first: moved") })
    #expect(moved.contains { $0.hasPrefix("~ variable second: moved") })
    let map = try MapTool.run(old, new, ToolOptions())
    #expect(map.lines.contains { $0.hasPrefix("moved   variable first ") })
    #expect(CheckTool.run(old, new, isJSON: false).string.contains(" kept, 2 moved, "))
  }

  /// With the sides exchanged, what was added is removed, and all else is the same.
  @Test(arguments: mutations)
  func sidesMayBeExchanged(_ mutation: Mutation) throws {
    let old = try library.build(Source.base)
    let new = try library.build(
      try Source.mutated(
        mutation.part,
        mutation.other.replacingOccurrences(
          of: "added", with: "second")))
    let one = try changes(old, new)
    let mirrored = try changes(new, old).map { (change) -> [String] in
      let word = change[0] == "added" ? "removed" : change[0] == "removed" ? "added" : change[0]
      return [word, change[1], change[3], change[2]]
    }
    #expect(one.sorted { $0.joined() < $1.joined() } == mirrored.sorted { $0.joined() < $1.joined() })
  }

  private func changes(_ old: String, _ new: String) throws -> [[String]] {
    var options = ToolOptions()
    options.isJSON = true
    let object = try diff(old, new, options).object()
    return (object["changes"] as? [[String: Any]] ?? []).map {
      [
        $0["change"] as? String ?? "", $0["kind"] as? String ?? "", $0["old_address"] as? String ?? "",
        $0["new_address"] as? String ?? "",
      ]
    }
  }

  /// Which kinds of items may refer elsewhere.
  @Test func relaxation() throws {
    let source = """
      int one(void) { return 1; } int two(void) { return 2; }
      static int (*const table[])(void) = {one, two}; int (*slot)(void) = one;
      int call(int i) { return table[i & 1]() + slot(); } int direct(void) { return one() + 3; }
      """
    let options = ["-O1", "-fno-inline", "-Wl,-Bsymbolic", "-fvisibility=protected"]
    let old = try library.build(source, options)
    let constant = try library.build(source.replacingOccurrences(of: "{one, two}", with: "{two, one}"), options)
    let variable = try library.build(source.replacingOccurrences(of: "(void) = one", with: "(void) = two"), options)
    let code = try library.build(source.replacingOccurrences(of: "return one()", with: "return two()"), options)
    for (new, level) in [(constant, 1), (variable, 2), (code, 3)] {
      for relaxation in 0...3 {
        var options = ToolOptions()
        options.relaxation = relaxation
        #expect(try diff(old, new, options).code == (relaxation < level ? 1 : 0), "level \(level), -i \(relaxation)")
      }
    }
  }

  /// A call through the GOT that the linker made direct is the same call with -R.
  @Test func rebuiltRelocations() throws {
    let source = "int one(void); int two(void) { return one() + 1; } int one(void) { return 7; }"
    let old = try library.build(source, ["-O1", "-fno-plt", "-Wl,--no-relax"])
    let new = try library.build(source, ["-O1", "-fno-plt", "-Wl,-Bsymbolic"])
    #expect(try diff(old, new).code == 1)
    var options = ToolOptions()
    options.items.rebuilds = true
    let result = try diff(old, new, options)
    #expect(result.code == 0, "\(result.string)")
  }
}
