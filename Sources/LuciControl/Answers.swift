import Foundation

/// Bean's verdict about a file, as the process gives it.
public struct CheckVerdict: Codable, Sendable {
  public struct Reason: Codable, Sendable {
    public var code: String
    public var detail: String
  }

  /// applicable, refused, same.
  public var verdict: String
  public var reasons: [Reason]?
  public var reasonCount: Int?
  public var needsProgramThread: Bool?

  enum CodingKeys: String, CodingKey {
    case verdict, reasons
    case reasonCount = "reason_count"
    case needsProgramThread = "needs_program_thread"
  }

  public var isApplicable: Bool { verdict == "applicable" || verdict == "same" }

  public var text: String {
    var lines = [verdict == "same" ? "same content as what runs" : Table.harmless(verdict)]
    lines += (reasons ?? []).map { "  " + Table.harmless($0.detail) }
    let more = (reasonCount ?? 0) - (reasons?.count ?? 0)
    if more > 0 { lines.append("  and \(more) more") }
    if needsProgramThread == true { lines.append("  needs a thread of the program: indirect functions") }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// The last events of a process: objects as in docs/status.md.
public struct EventLog: Decodable, Sendable {
  public struct Event: Codable, Sendable {
    public var event: String
    public var reason: String
    public var code: String
    public var cause: String?
    public var object: String
    public var path: String
    public var pid: Int
    public var time: String
    public var detail: String?
    public var version: Int?
    public var function: String?
    public var offset: Int?
    public var thread: Int?
    public var caller: String?
  }

  public var events: [Event]

  public var text: String {
    events.map { event in
      var line = "\(event.time) \(event.event) (\(event.reason)) \(event.object)"
      if let detail = event.detail { line += ": " + detail }
      return Table.harmless(line) + "\n"
    }.joined()
  }

  public var jsonLines: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return events.compactMap { try? encoder.encode($0) }.map { String(decoding: $0, as: UTF8.self) + "\n" }.joined()
  }
}

/// Waiting for a process to run fresh code only.
public enum Freshness {
  /// Returns the last status, which says so or not. Turns detection on where it is off.
  public static func wait(
    for process: LuciProcess, until limit: ContinuousClock.Instant?, patience: Duration
  ) throws(AskError) -> ProcessStatus {
    var hasOrdered = false
    while true {
      let status = try process.status(timeout: patience)
      if status.stale == .no { return status }
      if !hasOrdered, status.detection == "disabled" {
        try process.order("detect", ["on"], timeout: patience)
        hasOrdered = true
      }
      if let limit, ContinuousClock.now >= limit { return status }
      usleep(100_000)
    }
  }
}
