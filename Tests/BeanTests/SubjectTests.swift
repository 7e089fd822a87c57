import Bean
import Foundation
import Testing

/// Versions of real libraries. LUCI_SUBJECTS names a directory with unpacked packages, `<package>_<version>_amd64`,
/// as `apt-get download` and `dpkg -x` make them.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["LUCI_SUBJECTS"] != nil))
struct SubjectTests {
  static func library(_ package: String, _ version: String, _ name: String) throws -> Bytes {
    let root = URL(fileURLWithPath: ProcessInfo.processInfo.environment["LUCI_SUBJECTS"] ?? "")
    let directory = root.appendingPathComponent("\(package)_\(version)_amd64")
    for folder in ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"] {
      let file = directory.appendingPathComponent(folder).appendingPathComponent(name)
      if let bytes = TestFile.read(file.path) { return bytes }
    }
    throw CompiledPair.BuildError(description: "no \(name) in \(directory.path)")
  }

  @Test func expatUpdateIsAccepted() throws {
    let name = "libexpat.so.1.8.10"
    let old = try Self.library("libexpat1", "2.5.0-1+deb12u2", name)
    let new = try Self.library("libexpat1", "2.5.0-1+deb12u5", name)
    let verdict = try Bean.compare(old: old, new: new)
    #expect(verdict.accepted, "\(verdict.text)")
    #expect(verdict.counters.references > 0)
    #expect(verdict.counters.candidates == verdict.counters.explained)
  }

  /// The parser structure grew from 1032 to 1096 bytes.
  @Test func expatUpdateIsARisk() throws {
    let name = "libexpat.so.1.8.10"
    let old = try Self.library("libexpat1", "2.5.0-1+deb12u2", name)
    let new = try Self.library("libexpat1", "2.5.0-1+deb12u5", name)
    let verdict = try Bean.compare(old: old, new: new)
    #expect(verdict.shiftedFunctions >= 20)
    #expect(verdict.risks.contains { $0.kind == .shiftedFields && $0.newValue == $0.oldValue + 8 })
    #expect(verdict.risks.contains { $0.kind == .allocationSize && $0.oldValue == 1032 && $0.newValue == 1096 })
  }

  /// Sections keep their sizes, variables move inside: each is found where it went.
  @Test func udevVariablesMove() throws {
    let name = "libudev.so.1.7.5"
    let old = try Self.library("libudev1", "252.38-1~deb12u1", name)
    let new = try Self.library("libudev1", "252.39-1~deb12u2", name)
    let verdict = try Bean.compare(old: old, new: new)
    #expect(verdict.accepted, "\(verdict.codes)")
    #expect(verdict.variables.contains { $0.kind == .moved })
    #expect(!verdict.variables.contains { $0.kind == .gone || $0.kind == .unplaced })
  }
}
