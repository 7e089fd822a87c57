import CZydis
import Foundation
import Testing

@testable import Bean

/// Lengths and operands against Zydis, for every function of many libraries: those of this system, or those below
/// the directory that LUCI_ORACLE_LIBRARIES names (`tools/oracle` fetches 200 and more).
@Suite(.timeLimit(.minutes(30))) struct LibraryOracleTests {
  /// Of the system's libraries as many as a short run allows.
  private static var shortRun: Int { 40 }

  private static func libraries() -> [String] {
    let directory = ProcessInfo.processInfo.environment["LUCI_ORACLE_LIBRARIES"]
    let root = directory ?? "/usr/lib/x86_64-linux-gnu"
    guard let enumerator = FileManager.default.enumerator(atPath: root) else { return [] }
    var found: [String] = []
    while let name = enumerator.nextObject() as? String {
      if directory == nil, name.contains("/") { enumerator.skipDescendants() }
      let file = (name as NSString).lastPathComponent
      guard file.contains(".so") else { continue }
      let path = root + "/" + name
      let attributes = try? FileManager.default.attributesOfItem(atPath: path)
      if attributes?[.type] as? FileAttributeType == .typeRegular { found.append(path) }
    }
    found.sort()
    return directory == nil ? Array(found.prefix(shortRun)) : found
  }

  @Test func everyFunction() throws {
    let oracle = ZydisOracle()
    var (files, functions, instructions) = (0, 0, 0)
    var differences: [String] = []
    for path in LibraryOracleTests.libraries() {
      guard let data = FileManager.default.contents(atPath: path) else { continue }
      [UInt8](data).withUnsafeBytes { (buffer) in
        guard let file = try? ObjectFile(Bytes(buffer)), let map = try? FunctionMap(file) else { return }
        files += 1
        for function in map.functions where function.source != .gap {
          guard let code = file.image.bytes(at: function.range.start, count: function.range.count) else { continue }
          functions += 1
          var offset = 0
          while offset < code.count {
            let wanted = oracle.decode(code, at: offset)
            let found = InstructionDecoder.decode(code, at: offset).map { ZydisOracle.Fields($0) }
            // Where neither knows an instruction, the function holds data: tables of hand-written assembly.
            guard wanted != nil || found != nil else { break }
            instructions += 1
            if wanted != found, differences.count < 50 {
              let bytes = (0..<15).map { String(code[offset + $0], radix: 16) }.joined(separator: " ")
              differences.append("\(path) +\(function.range.start + UInt64(offset)): \(bytes)")
            }
            guard let wanted else { break }
            offset += wanted.length
          }
        }
      }
    }
    print("oracle: \(files) files, \(functions) functions, \(instructions) instructions")
    #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    #expect(instructions > 1_000_000)
  }
}
