import Foundation
import Testing

/// A package version: one that tools/subjects has fetched, or the machine's own if it is that one.
struct Release: CustomStringConvertible {
  let package: String
  let version: String

  init(_ package: String, _ version: String) { (self.package, self.version) = (package, version) }

  func path(of file: String) -> String? {
    let libraries = "lib/x86_64-linux-gnu/"
    var roots = Luci.subjects.map { [$0 + "/\(package)_\(version)_amd64/"] } ?? []
    if Release.installed[package] == version { roots.append("/") }
    return roots.flatMap { root in [libraries, "usr/" + libraries].map { root + $0 + file } }.first {
      Luci.exists($0)
    }
    .map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().path }
  }

  /// The machine's own versions, by package.
  private static let installed: [String: String] = {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/dpkg-query")
    process.arguments = ["-W", "-f", "${Package} ${Architecture} ${Version}\n"]
    process.standardOutput = pipe
    guard (try? process.run()) != nil, let output = try? pipe.fileHandleForReading.readToEnd() else { return [:] }
    process.waitUntilExit()
    var versions: [String: String] = [:]
    for line in String(decoding: output, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count == 3, fields[1] == "amd64" { versions[String(fields[0])] = String(fields[2]) }
    }
    return versions
  }()

  var description: String { "\(package) \(version)" }
}

/// A program of Programs/consumers, the files that it starts with, and what must come of later ones.
struct Consumer {
  enum Outcome: Equatable {
    /// It goes over under load.
    case over
    /// It goes over under load, after some time in which it may tell that it waits.
    case eventually
    /// At the latest when the program has given back all that it had of the library.
    case atRest
    /// It stays, for a reason with these words.
    case refused(String)
    /// Nothing in the file has changed.
    case same
  }

  struct Step {
    let release: Release
    var outcomes: [String: Outcome]

    init(_ release: Release, _ outcomes: [String: Outcome]) { (self.release, self.outcomes) = (release, outcomes) }
  }

  let source: String
  let first: Release
  let files: [String]
  var steps: [Step]
  /// For the compiler.
  var flags: [String] = []

  init(_ source: String, _ first: Release, _ files: [String], _ steps: Step...) {
    (self.source, self.first, self.files, self.steps) = (source, first, files, steps)
  }

  private var missing: [Release] {
    ([first] + steps.map(\.release)).filter { release in !files.allSatisfy { release.path(of: $0) != nil } }
  }
  var isThere: Bool { missing.isEmpty }
  var isMissing: Comment {
    Comment(
      rawValue: "no \(missing.map(\.description).joined(separator: ", ")): tools/subjects fetches what there is")
  }
}

extension Seen {
  /// Whether a warning about the object has one of these texts.
  func hasTold(_ name: String, _ texts: String...) -> Bool {
    errors.split(separator: "\n").contains { line in
      line.contains(name) && texts.contains { line.contains($0) }
    }
  }
}
