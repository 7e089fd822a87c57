import Bean
import Foundation

/// Knows the layout hash for a build-id: from its cache directory, from debug files below a root, or from files that
/// it was told of. Several threads may ask.
public final class DebugHashService: @unchecked Sendable {
  private let root: String?
  private let cache: String?
  /// Files by build-id.
  private var files: [String: String] = [:]
  /// Answers given before, failures included: they would take as long again.
  private var answers: [String: String] = [:]
  /// Build-ids whose hash is being found; others who ask for the same wait.
  private var open: Set<String> = []
  /// Over `answers` and `open`; all else does not change once the service is made.
  private let lock = NSCondition()
  private static var maximumAnswers: Int { 4096 }

  /// `paths`: libraries or debug files, or directories with such.
  public init(root: String?, cache: String?, paths: [String]) throws {
    self.root = root
    self.cache = cache
    if let cache {
      do { try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true) } catch {
        throw ToolError("\(cache): can't be made a directory")
      }
    }
    for path in paths { try add(path) }
  }

  private func add(_ path: String) throws {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw ToolError("\(path): no such file")
    }
    guard isDirectory.boolValue else { return note(path) }
    guard let enumerator = FileManager.default.enumerator(atPath: path) else { return }
    while let name = enumerator.nextObject() as? String {
      let file = (path as NSString).appendingPathComponent(name)
      let attributes = try? FileManager.default.attributesOfItem(atPath: file)
      if attributes?[.type] as? FileAttributeType == .typeRegular { note(file) }
    }
  }

  /// A file with debug information wins over one without.
  private func note(_ path: String) {
    guard let handle = FileHandle(forReadingAtPath: path), let head = try? handle.read(upToCount: 4),
      head.elementsEqual([0x7f, 0x45, 0x4c, 0x46]), let links = try? DebugLinks(of: path), !links.buildID.isEmpty
    else { return }
    let hasInformation = try? InputFile.withContent(of: path, DebugHashTool.hasDebugInformation)
    if files[links.buildIDText] == nil || hasInformation ?? false { files[links.buildIDText] = path }
  }

  /// One line for one line: `hash HEX` for a build-id in hexadecimal, `unknown` where there is no debug
  /// information, `error` for what is no build-id.
  public func answer(_ request: String) -> String {
    guard let id = DebugHashService.buildID(request) else { return "error" }
    lock.lock()
    while open.contains(id) { lock.wait() }
    if let known = answers[id] {
      lock.unlock()
      return known
    }
    open.insert(id)
    lock.unlock()
    let answer = cached(id) ?? computed(id)
    lock.lock()
    if answers.count < DebugHashService.maximumAnswers { answers[id] = answer }
    open.remove(id)
    lock.broadcast()
    lock.unlock()
    return answer
  }

  /// The same if it takes no time; else nil.
  func knownAnswer(_ request: String) -> String? {
    guard let id = DebugHashService.buildID(request) else { return "error" }
    return lock.withLock { answers[id] }
  }

  private static func buildID(_ request: String) -> String? {
    let id = request.trimmingCharacters(in: .whitespaces).lowercased()
    guard id.count >= 8, id.count <= 128, id.count % 2 == 0, id.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
      return nil
    }
    return id
  }

  private func cached(_ id: String) -> String? {
    guard let cache, let data = FileManager.default.contents(atPath: "\(cache)/\(id)"),
      let text = String(data: data, encoding: .utf8)?.trimmingCharacters(in: .whitespacesAndNewlines),
      text.count == 64, text.allSatisfy({ $0.isASCII && $0.isHexDigit })
    else { return nil }
    return "hash \(text)"
  }

  private func computed(_ id: String) -> String {
    let folder = (root ?? "/") as NSString
    let name = ".build-id/\(id.prefix(2))/\(id.dropFirst(2)).debug"
    let candidates = [
      folder.appendingPathComponent("usr/lib/debug/\(name)"), folder.appendingPathComponent(name), files[id],
    ]
    for path in candidates.compactMap({ $0 }) where FileManager.default.fileExists(atPath: path) {
      guard let hash = try? DebugHashTool.hash(of: path, root: root) else { continue }
      if let cache {
        try? Data("\(hash.text)\n".utf8).write(to: URL(fileURLWithPath: "\(cache)/\(id)"), options: .atomic)
      }
      return "hash \(hash.text)"
    }
    return "unknown"
  }
}
