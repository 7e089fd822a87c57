import Bean
import Foundation

/// The versions of one library that `bean compare` looks at, oldest first.
struct VersionList {
  struct Version {
    /// What tells it from the others: the part of the path that differs.
    let name: String
    let path: String
  }

  let versions: [Version]

  /// `paths` are files in the order that is meant, or one directory: with the versions as files, or with one
  /// directory for each, in which the library lies somewhere. Then they are sorted by version number.
  init(_ paths: [String]) throws {
    var isDirectory: ObjCBool = false
    guard let first = paths.first else { throw ToolError("no files") }
    if paths.count == 1, FileManager.default.fileExists(atPath: first, isDirectory: &isDirectory),
      isDirectory.boolValue
    {
      versions = try VersionList.versions(in: first)
    } else {
      versions = zip(VersionList.names(paths), paths).map { Version(name: $0, path: $1) }
    }
    guard versions.count >= 2 else { throw ToolError("\(first): fewer than two versions") }
  }

  private static func versions(in directory: String) throws -> [Version] {
    let entries = try list(directory)
    var found: [(entry: String, path: String)] = []
    for entry in entries {
      var isDirectory: ObjCBool = false
      let path = (directory as NSString).appendingPathComponent(entry)
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { continue }
      if isDirectory.boolValue {
        found += libraries(below: path).map { (entry, $0) }
      } else if isLibrary(path) {
        found.append((entry, path))
      }
    }
    return try oneLibrary(found, directory)
  }

  private static func list(_ directory: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: directory).sorted {
        $0.compare($1, options: .numeric) == .orderedAscending
      }
    } catch { throw ToolError("\(directory): can't be listed") }
  }

  /// More files than this below one version are no library but a system.
  private static var maximumFiles: Int { 20000 }

  private static func libraries(below directory: String) -> [String] {
    guard let enumerator = FileManager.default.enumerator(atPath: directory) else { return [] }
    var found: [String] = []
    var count = 0
    while let name = enumerator.nextObject() as? String {
      count += 1
      if count > maximumFiles { break }
      let path = (directory as NSString).appendingPathComponent(name)
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      if attributes?[.type] as? FileAttributeType == .typeRegular, isLibrary(path) { found.append(path) }
    }
    return found.sorted()
  }

  private static func isLibrary(_ path: String) -> Bool {
    guard let handle = FileHandle(forReadingAtPath: path), let head = try? handle.read(upToCount: 20) else {
      return false
    }
    // ELF, ET_DYN.
    return head.count == 20 && head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) && head[16] == 3
  }

  /// Versions that hold several libraries: the one that most of them have.
  private static func oneLibrary(_ found: [(entry: String, path: String)], _ directory: String) throws -> [Version] {
    let entries = Set(found.map(\.entry))
    guard entries.count < found.count else { return found.map { Version(name: $0.entry, path: $0.path) } }
    var owners: [String: Set<String>] = [:]
    for file in found { owners[stem(file.path), default: []].insert(file.entry) }
    let most = owners.values.map(\.count).max() ?? 0
    let candidates = owners.filter { $0.value.count == most }.keys.sorted()
    guard candidates.count == 1 else {
      throw ToolError("\(directory): several libraries (\(candidates.prefix(5).joined(separator: ", "))); name files")
    }
    var seen: Set<String> = []
    return found.filter { stem($0.path) == candidates[0] && seen.insert($0.entry).inserted }
      .map { Version(name: $0.entry, path: $0.path) }
  }

  /// libexpat.so.1.8.10 and libexpat.so.1.9.0 are the same library.
  private static func stem(_ path: String) -> String {
    let name = (path as NSString).lastPathComponent
    guard let range = name.range(of: ".so") else { return name }
    return String(name[..<range.upperBound])
  }

  /// The paths without what they have in common at both ends.
  private static func names(_ paths: [String]) -> [String] {
    let parts = paths.map { $0.split(separator: "/").map(String.init) }
    guard let shortest = parts.map(\.count).min(), Set(paths).count == paths.count else { return paths }
    var head = 0
    while head < shortest - 1, Set(parts.map { $0[head] }).count == 1 { head += 1 }
    var tail = 0
    while tail < shortest - head - 1, Set(parts.map { $0[$0.count - 1 - tail] }).count == 1 { tail += 1 }
    return parts.map { $0[head..<$0.count - tail].joined(separator: "/") }
  }
}
