import Bean
import BeanTool
import Testing

@Suite(.timeLimit(.minutes(3)))
struct HashTests {
  let library = try! Library()

  private func hashes(_ path: String, dependencies: Bool = false) throws -> [String: [String]] {
    var options = ToolOptions()
    options.isJSON = true
    options.includesDependencies = dependencies
    var found: [String: [String]] = [:]
    for item in try HashTool.run(path, options).object()["items"] as? [[String: Any]] ?? [] {
      let keys = dependencies ? ["dependencies"] : ["internal", "external"]
      found[item["name"] as? String ?? ""] = keys.compactMap { item[$0] as? String }
    }
    return found
  }

  private let chain = """
    #define APART __attribute__((noipa))
    int leaf(int), apart(int);
    APART int leaf(int x) { return x * 3; }
    static int even(int x); static int odd(int x) { return x ? even(x - 1) + 2 : 1; }
    static int even(int x) { return x ? odd(x - 1) + 1 : 0; }
    int top(int x) { return leaf(x) + even(x); }
    APART int apart(int x) { return x - 1; }
    """

  private let options = [
    "-O1", "-fno-inline", "-Wl,-Bsymbolic", "-fno-ipa-icf", "-fno-ipa-ra", "-fno-optimize-sibling-calls",
  ]

  @Test func partsOfTheHash() throws {
    let old = try hashes(try library.build(chain, options))
    let constant = try hashes(try library.build(chain.replacingOccurrences(of: "x * 3", with: "x * 5"), options))
    #expect(old["leaf"]?[0] != constant["leaf"]?[0])
    #expect(old["top"] == constant["top"])
    let call = try hashes(try library.build(chain.replacingOccurrences(of: "leaf(x) +", with: "apart(x) +"), options))
    #expect(old["top"]?[0] == call["top"]?[0])
    #expect(old["top"]?[1] != call["top"]?[1])
  }

  /// A change reaches all that depend on it, also through functions that call each other, and nothing else.
  @Test func dependencies() throws {
    let old = try hashes(try library.build(chain, options), dependencies: true)
    let leaf = try hashes(
      try library.build(chain.replacingOccurrences(of: "x * 3", with: "x * 5"), options), dependencies: true)
    #expect(old["top"] != leaf["top"])
    #expect(old["even"] == leaf["even"])
    #expect(old["apart"] == leaf["apart"])
    let odd = try hashes(
      try library.build(chain.replacingOccurrences(of: "+ 2 : 1", with: "+ 3 : 1"), options), dependencies: true)
    for name in ["even", "odd", "top"] { #expect(old[name] != odd[name], "\(name)") }
    for name in ["leaf", "apart"] { #expect(old[name] == odd[name], "\(name)") }
  }

  /// Functions in another order have the same hashes.
  @Test func orderDoesNotMatter() throws {
    let parts = chain.split(separator: "\n").dropFirst(2).map(String.init)
    let turned =
      "#define APART __attribute__((noipa))\nint leaf(int), apart(int); static int even(int), odd(int);\n"
      + parts.reversed().joined(separator: "\n")
    let (a, b) = (try library.build(chain, options), try library.build(turned, options))
    for dependencies in [false, true] {
      let (old, new) = (try hashes(a, dependencies: dependencies), try hashes(b, dependencies: dependencies))
      for name in ["leaf", "even", "odd", "top", "apart"] {
        #expect(old[name] != nil)
        #expect(old[name] == new[name], "\(name)")
      }
    }
  }

  /// Every byte of code and data belongs to one item, in files of any kind.
  @Test(arguments: ["libc.so.6", "libcrypto.so.3", "libstdc++.so.6", "libexpat.so.1", "libz.so.1"])
  func itemsPartitionTheFile(_ name: String) throws {
    let path = "/usr/lib/x86_64-linux-gnu/" + name
    guard let file = try? InputFile(path) else { return }
    let table = ItemTable(try Binary(file.bytes))
    var end: UInt64 = 0
    var functions = 0
    for item in table.items[..<table.threadStart] {
      #expect(item.range.start >= end && item.range.end > item.range.start)
      end = item.range.end
      if item.kind == .function { functions += 1 }
      var field: UInt64 = 0
      for reference in table.references[item.first..<item.end] {
        #expect(reference.field >= field && item.range.contains(reference.field))
        field = reference.field
      }
    }
    #expect(functions == table.binary.code.functions.filter { !$0.isLinkage }.count)
  }
}
