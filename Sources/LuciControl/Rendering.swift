import Foundation

/// How results are shown.
public enum OutputForm: Sendable {
  case table, json, openMetrics
}

public enum Rendering {
  public static func processes(_ all: [ProcessStatus], as form: OutputForm) -> String {
    switch form {
    case .json: return json(all)
    case .openMetrics: return OpenMetrics.text(all)
    case .table:
      var table = Table(["PID", "STALE", "OBJECTS", "UPDATED", "PENDING", "REFUSED", "PROGRAM"])
      for status in all {
        table.add([
          "\(status.pid)", status.stale.rawValue, "\(status.objects.count)", "\(status.updatedCount)",
          "\(status.pendingCount)", "\(status.refusedCount)", status.program + (status.paused ? " (paused)" : ""),
        ])
        // Below it, what is not as it was at the start.
        for object in status.objects where object.versions > 1 || object.needsAttention {
          table.add(line: "  " + line(object))
        }
      }
      return table.text
    }
  }

  public static func process(_ status: ProcessStatus, as form: OutputForm) -> String {
    switch form {
    case .json: return json(status)
    case .openMetrics: return OpenMetrics.text([status])
    case .table:
      var head = Table.harmless("\(status.program), process \(status.pid): \(summary(status))") + "\n"
      var table = Table(["OBJECT", "VERSION", "SINCE", "STALE", "NOTES"])
      for object in status.objects {
        table.add([
          object.object, "\(object.version) of \(object.versions)", object.since ?? "start", object.stale.rawValue,
          notes(object).joined(separator: "; "),
        ])
      }
      head += table.text
      return head
    }
  }

  private static func line(_ object: ObjectStatus) -> String {
    var parts = ["\(object.object) version \(object.version) of \(object.versions)"]
    if let since = object.since { parts[0] += " since \(since)" }
    return (parts + notes(object)).joined(separator: "; ")
  }

  public static func summary(_ status: ProcessStatus) -> String {
    let old =
      switch status.stale {
      case .no: "only fresh code runs"
      case .yes: "old code is in use"
      case .unknown:
        switch status.detection {
        case "disabled": "not known whether old code runs (detection is off)"
        case "impossible": "not known whether old code runs (detection is impossible)"
        default: "not known yet whether old code runs"
        }
      }
    return status.paused ? old + "; paused" : old
  }

  public static func notes(_ object: ObjectStatus) -> [String] {
    var notes: [String] = []
    if object.pending { notes.append("an update waits for " + (object.waitsFor ?? "a thread of the program")) }
    if let refused = object.refused { notes.append("refused: " + (refused.detail ?? refused.reason)) }
    for version in object.outdated ?? [] {
      var text = "version \(version.version) \(version.state)"
      if version.state == "in-use", let function = version.lastFunction { text += " (\(function))" }
      if let thread = version.thread { text += " (on the stack of thread \(thread))" }
      if let waits = version.waitsFor { text += ": \(waits)" }
      if let obstacle = version.obstacle { text += ": \(obstacle)" }
      notes.append(text)
    }
    return notes
  }

  public static func json<Value: Encodable>(_ value: Value) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return ((try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "null") + "\n"
  }
}
