import BeanTool
import Foundation

/// Versions of a C library in a directory of their own, which is removed with the value's last user.
final class Library {
  struct BuildError: Error, CustomStringConvertible { let description: String }

  let directory: URL
  private var count = 0

  init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("tool-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  func file(_ name: String) -> String { directory.appendingPathComponent(name).path }

  /// Compiles `source` and returns the library's path.
  func build(
    _ source: String, _ options: [String] = ["-O1", "-s"], compiler: String = "gcc", name: String? = nil
  ) throws -> String {
    count += 1
    let folder = directory.appendingPathComponent(name ?? "version\(count)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let input = folder.appendingPathComponent("library.c")
    let output = folder.appendingPathComponent("library.so")
    try source.write(to: input, atomically: true, encoding: .utf8)
    try run(
      "/usr/bin/" + compiler, ["-shared", "-fPIC", "-w"] + options + ["-o", output.path, input.path])
    return output.path
  }

  /// Runs a tool and returns its output; throws with its messages where it fails.
  @discardableResult
  func run(_ path: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let messages = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw BuildError(description: "\(path) \(arguments): \(String(decoding: messages, as: UTF8.self))")
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension ToolResult {
  var string: String { String(decoding: text.bytes, as: UTF8.self) }
  var lines: [String] { string.split(separator: "\n").map(String.init) }

  func object() throws -> [String: Any] {
    struct NoObject: Error {}
    guard let object = try JSONSerialization.jsonObject(with: Data(text.bytes)) as? [String: Any] else {
      throw NoObject()
    }
    return object
  }
}

/// A library with something of everything, for mutations.
enum Source {
  static let base = """
    #include <stdlib.h>
    #include <stdio.h>
    static int first = 3, second = 4;
    static const char *name = "one";
    __thread int local = 4;
    static const int powers[4] = {1, 10, 100, 1000};
    struct item { struct item *next; long key; long value; };
    static struct item *items;
    __attribute__((noinline)) static int helper(int x) { first += x; return x * 7 + first; }
    __attribute__((noinline)) static int other(int x) { second -= x; return x * 9 - second; }
    int insert(long key, long value) {
      struct item *made = malloc(sizeof *made);
      if (!made) return -1;
      made->key = key; made->value = value; made->next = items; items = made;
      return 0;
    }
    long lookup(long key) {
      for (struct item *at = items; at; at = at->next) if (at->key == key) return at->value;
      return -1;
    }
    long total(void) { long sum = 0; for (struct item *at = items; at; at = at->next) sum += at->value; return sum; }
    int choose(int x) {
      switch (x) {
        case 0: return helper(1);
        case 1: return other(2) + abs(x);
        case 2: return 77 + local;
        case 3: return rand();
        case 4: return helper(3) * 3;
        case 5: return puts(name);
        case 6: return other(9) - 1;
      }
      return powers[x & 3];
    }
    int extra(void) { return 5; }
    """

  /// `base` with one thing replaced, which must be there.
  static func mutated(_ part: String, _ other: String) throws -> String {
    struct NotFound: Error { let part: String }
    guard base.contains(part) else { throw NotFound(part: part) }
    return base.replacingOccurrences(of: part, with: other)
  }
}
