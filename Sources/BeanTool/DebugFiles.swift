import Bean
import Foundation

/// What a file says about where its debug information is (as GDB's manual describes it, "Debugging Information in
/// Separate Files").
public struct DebugLinks {
  /// The content of NT_GNU_BUILD_ID; empty: there is none.
  public private(set) var buildID: [UInt8] = []
  /// The file name in .gnu_debuglink, and the CRC-32 of the file that it means.
  public private(set) var link: (name: String, crc: UInt32)?
  /// The file name in .gnu_debugaltlink (dwz), and the build-id of that file.
  public private(set) var alternate: (name: String, buildID: [UInt8])?

  public init(_ file: Bytes) throws(ELFError) {
    let header = try FileHeader(file)
    let sections = try Sections(file, header)
    for section in sections.all where !section.isNoBits {
      guard let content = file.slice(at: section.fileOffset, count: section.size) else { continue }
      // SHT_NOTE
      if section.type == 7, buildID.isEmpty { buildID = Notes.buildID(content)?.copy() ?? [] }
      if section.name == Bytes(".gnu_debuglink"), let name = content.cString(at: 0, limit: 4096) {
        let place = (name.count + 4) & ~3
        if let crc = content.load(UInt32.self, at: place) { link = (String(bytes: name), crc) }
      }
      if section.name == Bytes(".gnu_debugaltlink"), let name = content.cString(at: 0, limit: 4096),
        let rest = content.suffix(from: UInt64(name.count) + 1)
      {
        alternate = (String(bytes: name), rest.copy())
      }
    }
    if buildID.isEmpty, sections.all.isEmpty { buildID = try ObjectFile(file).buildID?.copy() ?? [] }
  }

  /// Throws `ToolError` with the path.
  public init(of path: String) throws {
    self = try InputFile.withContent(of: path) { (bytes) in
      do throws(ELFError) { return try DebugLinks(bytes) } catch { throw error.message(path) }
    }
  }

  public var buildIDText: String { buildID.map { String(format: "%02x", $0) }.joined() }
}

/// Searches separate debug files.
public struct DebugFiles {
  let root: String

  public init(root: String?) { self.root = root ?? "/" }

  /// A place that was looked at.
  public struct Candidate {
    public let path: String
    /// nil: it is the one that was searched for.
    public let problem: String?
  }

  /// All places in the order in which they count; the first without problem is the file.
  public func candidates(for file: String) throws -> [Candidate] {
    let links = try DebugLinks(of: file)
    var found: [Candidate] = []
    for (path, crc) in places(file, links) {
      let problem = problem(path, links, crc, file)
      found.append(Candidate(path: path, problem: problem))
      if problem == nil { break }
    }
    return found
  }

  private func places(_ path: String, _ links: DebugLinks) -> [(String, UInt32?)] {
    let debug = (root as NSString).appendingPathComponent("usr/lib/debug")
    var found: [(String, UInt32?)] = []
    let id = links.buildIDText
    if id.count > 2 {
      let name = "\(id.prefix(2))/\(id.dropFirst(2)).debug"
      found.append(("\(debug)/.build-id/\(name)", nil))
      // A root may be a bare directory of debug files.
      found.append(((root as NSString).appendingPathComponent(".build-id/\(name)"), nil))
    }
    guard let link = links.link, !link.name.contains("/"), !link.name.isEmpty else { return found }
    let absolute = URL(fileURLWithPath: path).resolvingSymlinksInPath().deletingLastPathComponent().path
    found.append(("\(absolute)/\(link.name)", link.crc))
    found.append(("\(absolute)/.debug/\(link.name)", link.crc))
    found.append(("\(debug)\(absolute)/\(link.name)", link.crc))
    return found
  }

  private func problem(_ path: String, _ links: DebugLinks, _ crc: UInt32?, _ own: String) -> String? {
    guard FileManager.default.fileExists(atPath: path) else { return "no such file" }
    guard let other = try? DebugLinks(of: path) else { return "no ELF file that can be read" }
    if URL(fileURLWithPath: path).resolvingSymlinksInPath() == URL(fileURLWithPath: own).resolvingSymlinksInPath() {
      return "the file itself"
    }
    if !links.buildID.isEmpty, !other.buildID.isEmpty {
      return links.buildID == other.buildID ? nil : "another build-id"
    }
    if let crc {
      let isSame = try? InputFile.withContent(of: path) { CRC32.of($0) == crc }
      return isSame ?? false ? nil : "another checksum"
    }
    return "no build-id"
  }

  /// The names of the debug file, or of the file itself where it is not stripped.
  func symbols(for file: String) -> (file: InputFile, symbols: SymbolTable)? {
    guard let candidates = try? candidates(for: file),
      let path = candidates.last(where: { $0.problem == nil })?.path, let debug = try? InputFile(path),
      let header = try? FileHeader(debug.bytes), let sections = try? Sections(debug.bytes, header),
      // SHT_SYMTAB
      let table = sections.all.first(where: { $0.type == 2 }), table.link < sections.all.count,
      let entries = debug.bytes.slice(at: table.fileOffset, count: table.size),
      let strings = debug.bytes.slice(
        at: sections.all[table.link].fileOffset, count: sections.all[table.link].size)
    else { return nil }
    return (debug, SymbolTable(entries: entries, strings: strings))
  }
}

/// The checksum of .gnu_debuglink: CRC-32 as in ISO 3309.
enum CRC32 {
  static func of(_ bytes: Bytes) -> UInt32 {
    let table: [UInt32] = (0..<256).map { (byte) in
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 != 0 ? 0xedb8_8320 ^ value >> 1 : value >> 1 }
      return value
    }
    var crc = UInt32.max
    bytes.withUnsafeBytes { for byte in $0 { crc = table[Int((crc ^ UInt32(byte)) & 0xff)] ^ crc >> 8 } }
    return ~crc
  }
}
