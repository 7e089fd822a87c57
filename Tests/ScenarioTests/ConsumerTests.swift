import Foundation
import Testing

/// Programs that use libraries of Debian under load while these go over Debian's own updates. What must come of each
/// file is written down here; no use of a library may fail, whatever comes of it.
@Suite(.enabled(if: Luci.isReady, Comment(rawValue: Luci.isMissing)), .serialized, .timeLimit(.minutes(10)))
struct ConsumerTests {
  let workspace = try! Workspace()

  // MARK: Going over

  /// Compiles the program, starts it with the first release, and goes over the others.
  private func go(
    _ consumer: Consumer, _ arguments: [String] = [], otherLibraries: [String] = [],
    environment: [String: String] = [:]
  ) async throws {
    for file in consumer.files { try replace(file, with: consumer.first) }
    let path = try await workspace.compile(
      consumer.source, Luci.source("consumers/\(consumer.source).c"),
      flags: (consumer.files + otherLibraries).map { "-l:" + $0 } + consumer.flags + [
        "-pthread", "-Wl,--allow-shlib-undefined",
      ])
    let variables = environment.merging(["LD_LIBRARY_PATH": workspace.path]) { $1 }
    let program = try RunningProgram(
      in: workspace,
      ["env"] + variables.map { "\($0.key)=\($0.value)" } + [try #require(Luci.loader), path] + arguments,
      status: true)
    try await goesOn(program)
    for step in consumer.steps {
      let before = program.seen.status.count
      for file in consumer.files { try replace(file, with: step.release) }
      try await outcome(step, before, program)
      try await goesOn(program)
    }
    #expect(try await program.end() == .exit(0), "\(program.seen)")
  }

  private func outcome(_ step: Consumer.Step, _ before: Int, _ program: RunningProgram) async throws {
    for (file, expected) in step.outcomes.sorted(by: { $0.key < $1.key }) {
      let line = try await program.wait(for: "what comes of \(file)") { seen in
        seen.status.dropFirst(before).first { $0.name == file && !$0.isLoad }
      }
      switch expected {
      case .over: #expect(line.isUpdate, "\(step.release): \(program.seen)")
      case .eventually:
        try await program.wait(for: "\(file) to go over") { seen in
          seen.status.dropFirst(before).first { $0.name == file && $0.isUpdate }
        }
      case .same: #expect(line.word == "IGNORED", "\(step.release): \(program.seen)")
      case .atRest:
        // It may have found a moment between two uses.
        if line.isUpdate { continue }
        #expect(program.seen.hasTold(file, "it waits until there are none", "it waits until they rest"))
      case .refused(let words):
        #expect(line.reason == "new version is incompatible", "\(step.release): \(program.seen)")
        #expect(program.seen.hasTold(file, words), "\(step.release): \(program.seen)")
      }
    }
    guard step.outcomes.values.contains(.atRest) else { return }
    try program.send("r")
    for (file, expected) in step.outcomes where expected == .atRest {
      try await program.wait(for: "\(file) to go over while the program rests") { seen in
        seen.status.dropFirst(before).first { $0.name == file && $0.isUpdate }
      }
    }
    try program.send("g")
  }

  private func replace(_ file: String, with release: Release) throws {
    try workspace.replace(workspace.file(file), with: try #require(release.path(of: file)))
  }

  /// Some hundred more uses, none of which failed.
  private func goesOn(_ program: RunningProgram) async throws {
    func done(_ seen: Seen) -> (done: Int, failed: Int)? {
      seen.lines.last?.firstMatch(of: #/^done (\d+), failed (\d+)/#).flatMap { match in
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

  static let xml2 = Consumer(
    "xml2", Release("libxml2", "2.9.14+dfsg-1.3~deb12u4"), ["libxml2.so.2"],
    .init(Release("libxml2", "2.9.14+dfsg-1.3~deb12u6"), ["libxml2.so.2": .over]))

  @Test(.enabled(if: xml2.isThere, xml2.isMissing))
  func xmlParser() async throws { try await go(Self.xml2) }

  /// The version in between is no longer in the archive, but on some machines.
  static let xml2InTwoSteps = Consumer(
    "xml2", Release("libxml2", "2.9.14+dfsg-1.3~deb12u4"), ["libxml2.so.2"],
    .init(Release("libxml2", "2.9.14+dfsg-1.3~deb12u5"), ["libxml2.so.2": .over]),
    .init(Release("libxml2", "2.9.14+dfsg-1.3~deb12u6"), ["libxml2.so.2": .over]))

  @Test(.enabled(if: xml2InTwoSteps.isThere, xml2InTwoSteps.isMissing))
  func xmlParserInTwoSteps() async throws { try await go(Self.xml2InTwoSteps) }

  static let png = Consumer(
    "png", Release("libpng16-16", "1.6.39-2+deb12u5"), ["libpng16.so.16"],
    .init(Release("libpng16-16", "1.6.39-2+deb12u6"), ["libpng16.so.16": .over]))

  @Test(.enabled(if: png.isThere, png.isMissing))
  func images() async throws { try await go(Self.png) }

  /// sftp_new allocates 8 bytes more, and nobody uses it.
  static let ssh = Consumer(
    "ssh", Release("libssh-4", "0.10.6-0+deb12u2"), ["libssh.so.4"],
    .init(Release("libssh-4", "0.10.6-0+deb12u3"), ["libssh.so.4": .over]))

  @Test(.enabled(if: ssh.isThere, ssh.isMissing))
  func sshKeys() async throws { try await go(Self.ssh) }

  /// Somebody might: by its name, or by what dlsym gave out. Sizes as small as that are in use at any time by whomever.
  @Test(.enabled(if: ssh.isThere, ssh.isMissing), arguments: ["-DSFTP", "-DSFTP_BY_NAME"])
  func sshTransfers(flag: String) async throws {
    var consumer = Self.ssh
    consumer.flags = [flag]
    consumer.steps[0].outcomes = ["libssh.so.4": .refused("risk: structures may have changed")]
    try await go(consumer)
  }

  static let gnutls = Consumer(
    "gnutls", Release("libgnutls30", "3.7.9-2+deb12u6"), ["libgnutls.so.30"],
    .init(Release("libgnutls30", "3.7.9-2+deb12u7"), ["libgnutls.so.30": .over]))

  @Test(.enabled(if: gnutls.isThere, gnutls.isMissing))
  func gnutlsRecords() async throws { try await go(Self.gnutls) }

  /// Variables moved inside sections of the same size: each is found where it went.
  static let udev = Consumer(
    "udev", Release("libudev1", "252.38-1~deb12u1"), ["libudev.so.1"],
    .init(Release("libudev1", "252.39-1~deb12u2"), ["libudev.so.1": .over]))

  @Test(
    .enabled(if: udev.isThere, udev.isMissing),
    .enabled(if: Luci.exists("/sys/class/mem"), "no /sys/class/mem to be enumerated"))
  func devices() async throws { try await go(Self.udev) }

  // MARK: TLS

  /// Copying both files may take longer than the default where the machine is busy.
  static let longSettling = ["LD_SETTLE_TIME": "1000"]
  static let bothTLS = ["libcrypto.so.3", "libssl.so.3"]
  static let tls317 = Release("libssl3", "3.0.17-1~deb12u2")
  static let tls320 = Release("libssl3", "3.0.20-1~deb12u2")
  static let tls322 = Release("libssl3", "3.0.22-1~deb12u2")

  /// libcrypto's table of a look-up method, which OpenSSL hands out, loses a function in 3.0.20: it follows. SSL grew
  /// in 3.0.22, for which connections have to end.
  static let tls = Consumer(
    "tls", tls317, bothTLS,
    .init(tls320, ["libcrypto.so.3": .over, "libssl.so.3": .over]),
    .init(tls322, ["libcrypto.so.3": .atRest, "libssl.so.3": .atRest]))

  @Test(.enabled(if: tls.isThere, tls.isMissing))
  func tlsServerAndClients() async throws {
    let (key, certificate) = try await workspace.makeCertificate()
    try await go(Self.tls, [key, certificate], environment: Self.longSettling)
  }

  // MARK: With servers

  /// A field of handles that 13 functions use lies one byte further on; the size of handles is the same.
  static let curl = Consumer(
    "curl", Release("libcurl4", "7.88.1-10+deb12u5"), ["libcurl.so.4"],
    .init(Release("libcurl4", "7.88.1-10+deb12u15"), ["libcurl.so.4": .atRest]))
  static let http2 = Consumer(
    "curl", Release("libnghttp2-14", "1.52.0-1+deb12u2"), ["libnghttp2.so.14"],
    .init(Release("libnghttp2-14", "1.52.0-1+deb12u3"), ["libnghttp2.so.14": .over]))

  @Test(
    .enabled(if: WebServer.isThere, "no nginx: tools/subjects fetches it"), .enabled(if: curl.isThere, curl.isMissing)
  )
  func fetching() async throws {
    let server = try await WebServer(in: workspace)
    // CURL_HTTP_VERSION_1_1
    try await go(Self.curl, [server.url(http2: false), "2"])
    try await server.end()
  }

  /// A handle for each request, in two threads of which one has a handle at nearly any time: who makes the next one waits
  /// for a moment.
  @Test(
    .enabled(if: WebServer.isThere, "no nginx: tools/subjects fetches it"), .enabled(if: curl.isThere, curl.isMissing)
  )
  func fetchingWithAHandleForEach() async throws {
    let server = try await WebServer(in: workspace)
    var consumer = Self.curl
    consumer.steps[0].outcomes = ["libcurl.so.4": .eventually]
    try await go(consumer, [server.url(http2: false), "2", "each"], environment: ["LD_LAYOUT_HOLD": "10000"])
    try await server.end()
  }

  /// Where a user knows better, it goes over at once; handles that old code made are in use.
  @Test(
    .enabled(if: WebServer.isThere, "no nginx: tools/subjects fetches it"), .enabled(if: curl.isThere, curl.isMissing)
  )
  func fetchingWithReport() async throws {
    let server = try await WebServer(in: workspace)
    var consumer = Self.curl
    consumer.steps[0].outcomes = ["libcurl.so.4": .over]
    try await go(consumer, [server.url(http2: false), "2"], environment: ["LD_LAYOUT_CHECK": "report"])
    try await server.end()
  }

  @Test(
    .enabled(if: WebServer.isThere, "no nginx: tools/subjects fetches it"),
    .enabled(if: http2.isThere, http2.isMissing))
  func fetchingByHTTP2() async throws {
    let server = try await WebServer(in: workspace)
    // CURL_HTTP_VERSION_2TLS
    try await go(Self.http2, [server.url(http2: true), "4"], otherLibraries: ["libcurl.so.4"])
    try await server.end()
  }

  static let database = Consumer(
    "pq", Release("libpq5", "15.18-0+deb12u1"), ["libpq.so.5"],
    .init(Release("libpq5", "15.20-0+deb12u1"), ["libpq.so.5": .over]))

  @Test(
    .enabled(if: database.isThere, database.isMissing),
    .enabled(if: DatabaseServer.isThere, "no postgresql-15: tools/subjects fetches it"))
  func queries() async throws {
    let server = try await DatabaseServer(in: workspace)
    try await go(Self.database, ["host=\(server.directory) dbname=postgres user=\(server.user)"])
    try await server.end()
  }
}
