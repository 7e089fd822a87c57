/// The text format of OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/).
enum OpenMetrics {
  static func text(_ all: [ProcessStatus]) -> String {
    var lines: [String] = []
    func family(_ name: String, _ type: String, _ help: String, _ samples: [String]) {
      lines += ["# TYPE \(name) \(type)", "# HELP \(name) \(help)"] + samples
    }
    family(
      "luci_process_stale", "stateset", "Whether code of outdated versions is in use.",
      all.flatMap { status in
        [Staleness.no, .yes, .unknown].map { state in
          sample(
            "luci_process_stale", process(status) + [("luci_process_stale", state.rawValue)],
            status.stale == state ? 1 : 0)
        }
      })
    family(
      "luci_process_paused", "gauge", "Whether updates are paused.",
      all.map { sample("luci_process_paused", process($0), $0.paused ? 1 : 0) })
    let objects = all.flatMap { status in status.objects.map { (status, $0) } }
    family(
      "luci_object_version", "gauge", "The current version, counted from 1.",
      objects.map { sample("luci_object_version", labels($0, $1), $1.version) })
    family(
      "luci_object_pending", "gauge", "Whether an update waits: for a thread, or for the end of objects.",
      objects.map { sample("luci_object_pending", labels($0, $1), $1.pending ? 1 : 0) })
    family(
      "luci_object_refused", "gauge", "Whether the file that is there was refused.",
      objects.map { sample("luci_object_refused", labels($0, $1), $1.refused == nil ? 0 : 1) })
    family(
      "luci_object_outdated_uses", "counter", "Uses of outdated code that were seen.",
      objects.map { status, object in
        sample(
          "luci_object_outdated_uses_total", labels(status, object),
          (object.outdated ?? []).reduce(0) { $0 + $1.uses })
      })
    return (lines + ["# EOF"]).joined(separator: "\n") + "\n"
  }

  private static func process(_ status: ProcessStatus) -> [(String, String)] {
    [("pid", "\(status.pid)"), ("program", status.program)]
  }

  private static func labels(_ status: ProcessStatus, _ object: ObjectStatus) -> [(String, String)] {
    process(status) + [("object", object.object), ("path", object.path)]
  }

  private static func sample(_ name: String, _ labels: [(String, String)], _ value: Int) -> String {
    name + "{" + labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",") + "} \(value)"
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.append(character)
      }
    }
    return result
  }
}
