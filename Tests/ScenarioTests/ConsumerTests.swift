import Foundation
import Testing

/// Programs that use libraries of Debian under load while these go over Debian's own updates. Whether a library can be
/// replaced is what `--check` says of the two files; the program's results are right either way.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .serialized, .timeLimit(.minutes(5)))
struct ConsumerTests {
  let workspace = try! Workspace()

  /// A package version that tools/subjects has fetched, or, without a version, the machine's own.
  struct Release: CustomTestStringConvertible {
    let package: String
    let version: String?
    let files: [String]

    func path(of file: String) -> String? {
      let libraries = "lib/x86_64-linux-gnu/"
      let roots = version.map { version in Luci.subjects.map { $0 + "/\(package)_\(version)_amd64/" } } ?? "/"
      return [libraries, "usr/" + libraries].compactMap { place in roots.map { $0 + place + file } }.first {
        Luci.exists($0)
      }.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().path }
    }
    var isThere: Bool { files.allSatisfy { path(of: $0) != nil } }
    var testDescription: String { "\(package) \(version ?? "as installed")" }
  }

  struct Consumer: CustomTestStringConvertible {
    let source: String
    let releases: [Release]
    var testDescription: String { source + ": " + releases.map(\.testDescription).joined(separator: ", ") }

    init(_ source: String, _ package: String, _ files: [String], _ versions: [String?]) {
      self.source = source
      releases = versions.map { Release(package: package, version: $0, files: files) }
    }
  }

  static let consumers = [
    Consumer("xml2", "libxml2", ["libxml2.so.2"], ["2.9.14+dfsg-1.3~deb12u4", "2.9.14+dfsg-1.3~deb12u6"]),
    // The version between these two is no longer in the archive, but on some machines.
    Consumer(
      "xml2", "libxml2", ["libxml2.so.2"], ["2.9.14+dfsg-1.3~deb12u4", nil, "2.9.14+dfsg-1.3~deb12u6"]),
    Consumer("png", "libpng16-16", ["libpng16.so.16"], ["1.6.39-2+deb12u5", "1.6.39-2+deb12u6"]),
    Consumer("ssh", "libssh-4", ["libssh.so.4"], ["0.10.6-0+deb12u2", "0.10.6-0+deb12u3"]),
    Consumer("gnutls", "libgnutls30", ["libgnutls.so.30"], [nil, "3.7.9-2+deb12u7"]),
  ]
  static let tls = Consumer(
    "tls", "libssl3", ["libssl.so.3", "libcrypto.so.3"],
    ["3.0.17-1~deb12u2", "3.0.20-1~deb12u2", "3.0.22-1~deb12u2"])
  static let curl = Consumer("curl", "libcurl4", ["libcurl.so.4"], ["7.88.1-10+deb12u5", "7.88.1-10+deb12u15"])
  static let http2 = Consumer("curl", "libnghttp2-14", ["libnghttp2.so.14"], [nil, "1.52.0-1+deb12u3"])
  static let database = Consumer("pq", "libpq5", ["libpq.so.5"], ["15.18-0+deb12u1", "15.20-0+deb12u1"])

  // MARK: Going over

  /// Compiles the program, starts it with the first release, and goes over the others.
  private func go(
    _ consumer: Consumer, _ arguments: [String] = [], otherLibraries: [String] = [],
    environment: [String: String] = [:]
  ) async throws {
    for file in consumer.releases[0].files { try replace(file, with: consumer.releases[0]) }
    let path = try await workspace.compile(
      consumer.source, Luci.source("consumers/\(consumer.source).c"),
      flags: (consumer.releases[0].files.filter { Luci.exists(workspace.file($0)) } + otherLibraries).map {
        "-l:" + $0
      }
        + ["-pthread", "-Wl,--allow-shlib-undefined"])
    let variables = environment.merging(["LD_LIBRARY_PATH": workspace.path]) { $1 }
    let program = try RunningProgram(
      in: workspace,
      ["env"] + variables.map { "\($0.key)=\($0.value)" } + [try #require(Luci.loader), path] + arguments,
      status: true)
    try await goesOn(program)
    var current = consumer.releases[0].files.map { consumer.releases[0].path(of: $0) }
    for release in consumer.releases.dropFirst() {
      let before = program.seen.status.count
      for file in release.files { try replace(file, with: release) }
      for (index, file) in release.files.enumerated() {
        let line = try await program.wait(for: "what comes of \(file)") { seen in
          seen.status.dropFirst(before).first { $0.name == file && !$0.isLoad }
        }
        if try await holds(line, program, current[index], release.path(of: file)) {
          current[index] = release.path(of: file)
        }
      }
      try await goesOn(program)
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  /// Whether the outcome is the one that the two files deserve; returns whether the new one is in use.
  private func holds(
    _ line: StatusLine, _ program: RunningProgram, _ old: String?, _ new: String?
  ) async throws -> Bool {
    let (old, new) = (try #require(old), try #require(new))
    let check = try RunningProgram(in: workspace, [try #require(Luci.loader), "--check", old, new])
    let ending = try await check.end()
    let verdict = check.seen.output
    let reasons = verdict.split(separator: "\n").filter { $0.hasPrefix("  ") }
    if line.word == "IGNORED" {
      #expect(try workspace.contents(old) == workspace.contents(new))
    } else if line.isUpdate {
      // What nobody in the process uses may be gone.
      #expect(ending == .exit(0) || reasons.allSatisfy { $0.contains("export-missing") }, "\(line.text)\n\(verdict)")
    } else {
      let isRisk = verdict.contains("risk: ")
      #expect(
        ending == .exit(1) || isRisk || line.reason != "new version is incompatible", "\(line.text)\n\(verdict)")
      #expect(program.seen.errors.contains(line.name), "a warning says more: \(program.seen)")
    }
    return line.isUpdate || line.word == "IGNORED"
  }

  private func replace(_ file: String, with release: Release) throws {
    try workspace.replace(workspace.file(file), with: try #require(release.path(of: file)))
  }

  /// Some hundred more uses, none of which failed.
  private func goesOn(_ program: RunningProgram) async throws {
    func done(_ seen: Seen) -> (done: Int, failed: Int)? {
      seen.lines.last?.firstMatch(of: #/done (\d+), failed (\d+)/#).flatMap { match in
        Int(match.1).flatMap { done in Int(match.2).map { (done, $0) } }
      }
    }
    let first = try await ask(program, done)
    while true {
      let now = try await ask(program, done)
      #expect(now.failed == 0, "\(program.seen)")
      if now.done >= first.done + 200 || now.failed > 0 { return }
    }
  }

  private func ask<Result>(_ program: RunningProgram, _ read: (Seen) -> Result?) async throws -> Result {
    let count = program.seen.lines.count
    try program.send("?")
    return try await program.wait(for: "an answer") { $0.lines.count > count ? read($0) : nil }
  }

  // MARK: The programs

  @Test(arguments: consumers.filter { $0.releases.allSatisfy(\.isThere) })
  func library(consumer: Consumer) async throws { try await go(consumer) }

  /// No request may fail, whether a file can be taken or not.
  @Test(.enabled(if: tls.releases.allSatisfy(\.isThere), "no libssl3: tools/subjects fetches it"))
  func tlsServerAndClients() async throws {
    let (key, certificate) = try await workspace.makeCertificate()
    try await go(Self.tls, [key, certificate])
  }

  @Test(
    .enabled(if: WebServer.isThere, "no nginx: tools/subjects fetches it"),
    arguments: [curl, http2].filter { $0.releases.allSatisfy(\.isThere) })
  func fetching(consumer: Consumer) async throws {
    let server = try await WebServer(in: workspace)
    // CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_1_1
    let isHTTP2 = consumer.releases[0].package == "libnghttp2-14"
    try await go(
      consumer, [server.url(http2: isHTTP2), isHTTP2 ? "4" : "2"], otherLibraries: isHTTP2 ? ["libcurl.so.4"] : [])
    try await server.end()
  }

  @Test(
    .enabled(if: database.releases.allSatisfy(\.isThere), "no libpq5: tools/subjects fetches it"),
    .enabled(if: DatabaseServer.isThere, "no postgresql-15: tools/subjects fetches it"))
  func queries() async throws {
    let server = try await DatabaseServer(in: workspace)
    try await go(Self.database, ["host=\(server.directory) dbname=postgres user=\(server.user)"])
    try await server.end()
  }
}
