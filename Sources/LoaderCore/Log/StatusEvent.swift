/// What can happen to an object, in the words that scripts read (docs/status.md).
public enum StatusEvent: UInt8, CaseIterable, Sendable {
  case loaded, updated
  case sameTime, sameHash
  case updatesDisabled, incompatible, dataAltered, preloadFailed, mappingFailed, reusedOutdated
  case openFailed, statusFailed, wholeMappingFailed, notCreated, unsupportedFormat, notWatched

  /// The line's first word.
  public var word: StaticString {
    switch self {
    case .loaded, .updated: "SUCCESS"
    case .sameTime, .sameHash: "IGNORED"
    case .updatesDisabled, .incompatible, .dataAltered, .preloadFailed, .mappingFailed, .reusedOutdated: "FAILED"
    case .openFailed, .statusFailed, .wholeMappingFailed, .notCreated, .unsupportedFormat, .notWatched: "ERROR"
    }
  }

  public var reason: StaticString {
    switch self {
    case .loaded: "loaded initial version"
    case .updated: "updated to new version"
    case .sameTime: "new version has same modification time"
    case .sameHash: "new version has same hash"
    case .updatesDisabled: "dynamic updates are disabled"
    case .incompatible: "new version is incompatible"
    case .dataAltered: "relocated data was altered"
    case .preloadFailed: "preload was unsuccessful"
    case .mappingFailed: "mapping of segments was unsuccessful"
    case .reusedOutdated: "reusing outdated code"
    case .openFailed: "opening file failed"
    case .statusFailed: "retrieving file status failed"
    case .wholeMappingFailed: "mapping whole file into memory failed"
    case .notCreated: "not able to create object"
    case .unsupportedFormat: "unsupported format"
    case .notWatched: "not able to watch for file modifications"
    }
  }

  /// One word for word and reason together; stable, for programs.
  public var code: StaticString {
    switch self {
    case .loaded: "loaded"
    case .updated: "updated"
    case .sameTime: "same-time"
    case .sameHash: "same-hash"
    case .updatesDisabled: "updates-disabled"
    case .incompatible: "incompatible"
    case .dataAltered: "data-altered"
    case .preloadFailed: "preload-failed"
    case .mappingFailed: "mapping-failed"
    case .reusedOutdated: "reused-outdated"
    case .openFailed: "open-failed"
    case .statusFailed: "status-failed"
    case .wholeMappingFailed: "whole-mapping-failed"
    case .notCreated: "not-created"
    case .unsupportedFormat: "unsupported-format"
    case .notWatched: "not-watched"
    }
  }

  /// Where the log mentions it. What leaves an object at its old version is worth a warning; going back to a version
  /// that is still mapped is called a failure by word only.
  public var level: LogLevel {
    switch self {
    case .loaded: .debug
    case .updated, .sameTime, .sameHash, .updatesDisabled, .reusedOutdated: .info
    default: .warning
    }
  }
}

/// The form of status lines (LD_STATUS_FORMAT).
public enum StatusFormat: Sendable {
  case text, json
}

/// One event of one object.
public struct StatusRecord {
  public let event: StatusEvent
  /// The object's name, e.g. `libv.so`.
  public let object: Path
  /// The file.
  public let path: Path
  /// A finer reason as one stable word, e.g. Bean's; JSON only.
  public let cause: StaticString?
  /// The finer reason for people; in JSON and in the log.
  public let detail: Text?
  /// Further fields of the JSON form, each with a comma in front.
  let fields: Text?
  public let time: ClockTime

  public init(
    _ event: StatusEvent, object: Path, path: Path, cause: StaticString? = nil, detail: Text? = nil,
    fields: Text? = nil, time: ClockTime = .now()
  ) {
    self.event = event
    self.object = object
    self.path = path
    self.cause = cause
    self.detail = detail
    self.fields = fields
    self.time = time
  }

  /// The line with its end. A line is at most `limit` bytes (PIPE_BUF), so that a FIFO takes it whole or not at all:
  /// where it would be longer the detail goes first, then the path is cut.
  func line(_ format: StatusFormat, process: Int32, limit: Int = 4096) -> Text {
    let whole = line(format, process, hasDetail: true, pathLimit: Path.maximum)
    if whole.bytes.count <= limit { return whole }
    let brief = line(format, process, hasDetail: false, pathLimit: Path.maximum)
    if brief.bytes.count <= limit { return brief }
    return line(format, process, hasDetail: false, pathLimit: 200)
  }

  private func line(_ format: StatusFormat, _ process: Int32, hasDetail: Bool, pathLimit: Int) -> Text {
    switch format {
    case .text: textLine(process, pathLimit)
    case .json: jsonLine(process, hasDetail, pathLimit)
    }
  }

  private func textLine(_ process: Int32, _ pathLimit: Int) -> Text {
    var text = Text(event.word)
    text.append(" (")
    text.append(event.reason)
    text.append(") for ")
    object.withBytes { text.append(printable: $0, limit: 255) }
    text.append(" [")
    path.withBytes { text.append(printable: $0, limit: pathLimit) }
    text.append("] in PID ")
    text.append(decimal: UInt64(max(0, process)))
    text.append(" at ")
    text.append(timestamp: time)
    text.append("\n")
    return text
  }

  private func jsonLine(_ process: Int32, _ hasDetail: Bool, _ pathLimit: Int) -> Text {
    var text = Text("{\"event\":")
    text.append(jsonString: Bytes(event.word))
    text.append(",\"reason\":")
    text.append(jsonString: Bytes(event.reason))
    text.append(",\"code\":")
    text.append(jsonString: Bytes(event.code))
    if let cause {
      text.append(",\"cause\":")
      text.append(jsonString: Bytes(cause))
    }
    text.append(",\"object\":")
    object.withBytes { text.append(jsonString: $0.prefix(255)) }
    text.append(",\"path\":")
    path.withBytes { text.append(jsonString: $0.prefix(pathLimit)) }
    text.append(",\"pid\":")
    text.append(decimal: UInt64(max(0, process)))
    text.append(",\"time\":\"")
    text.append(timestamp: time)
    text.append("\"")
    if let fields { text.append(fields.bytes) }
    if hasDetail, let detail {
      text.append(",\"detail\":")
      detail.withBytes { text.append(jsonString: $0) }
    }
    text.append("}\n")
    return text
  }
}

extension Bytes {
  /// The first `length` bytes, or fewer.
  func prefix(_ length: Int) -> Bytes { slice(at: 0, count: UInt64(min(count, max(0, length)))) ?? self }
}
