import Foundation
import Testing

/// What the tests run: found through the environment, since `swift test` alone does not build a release loader.
enum Luci {
  /// The loader under test, an absolute path: `LUCI_LOADER`, set by tools/test.
  static let loader: String? = path(of: "LUCI_LOADER")

  /// The hosted tool that changes a program's interpreter: `LUCI_SETINTERP`, or the one beside the loader.
  static let setinterp: String? =
    path(of: "LUCI_SETINTERP")
    ?? loader.map { ($0 as NSString).deletingLastPathComponent + "/setinterp" }.flatMap(existing)

  /// The directory that tools/subjects fills with unpacked Debian packages: `LUCI_SUBJECTS`.
  static let subjects: String? = path(of: "LUCI_SUBJECTS")

  static let isReady = loader != nil
  static let isMissing = "no loader: tools/test builds one and names it in LUCI_LOADER"

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// A C or C++ source of the tests.
  static func source(_ name: String) -> String { root + "/Tests/ScenarioTests/Programs/" + name }

  static func libexpat(_ version: String) -> String? {
    subjects.map { $0 + "/libexpat1_\(version)_amd64/lib/x86_64-linux-gnu/libexpat.so.1" }.flatMap(existing)
  }

  static func exists(_ path: String) -> Bool { existing(path) != nil }

  /// Whether a mount namespace can be had, as root or with one of users.
  static let canMount: Bool = {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
    process.arguments = ["-rm", "sh", "-c", "mkdir -p /opt && mount --bind /usr /opt"]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }()

  private static func path(of variable: String) -> String? {
    ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : existing($0) }
  }

  private static func existing(_ path: String) -> String? {
    FileManager.default.fileExists(atPath: path) ? path : nil
  }
}

/// How a program is started.
enum Start: String, CaseIterable, CustomTestStringConvertible {
  /// By the kernel, with the C library's own loader: the reference.
  case system
  /// `ld-luci.so program arguments`.
  case direct
  /// By the kernel, with Luci as the program's PT_INTERP.
  case interpreter

  static let luci: [Start] = [.direct, .interpreter]

  var testDescription: String { rawValue }
}
