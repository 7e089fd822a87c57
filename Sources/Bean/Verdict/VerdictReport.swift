/// What `ld-luci.so --check` and `bean check` print. `isTaken`: what settings make of it.
extension Text {
  public mutating func append(_ verdict: Verdict, isTaken: Bool? = nil) {
    let isTaken = isTaken ?? verdict.isApplicable
    append(isTaken ? "applicable\n" : "refused\n")
    if isTaken && !verdict.isApplicable { append("  by a setting, in spite of\n") }
    if !isTaken && verdict.isApplicable { append("  by a setting, because of the risk\n") }
    if verdict.hooksTakeState { append("  its state goes over by __luci_serialize and __luci_deserialize, since\n") }
    for reason in verdict.reasons {
      append("  ")
      append(reason)
      append("\n")
    }
    if verdict.reasonCount > verdict.reasons.count {
      append("  and ")
      append(decimal: UInt64(verdict.reasonCount - verdict.reasons.count))
      append(" more\n")
    }
    if verdict.needsProgramThread { append("  needs a thread of the program: indirect functions\n") }
    appendProof(verdict)
    append("\n")
    if !verdict.variables.isEmpty {
      appendVariables(verdict)
      append("\n")
    }
    if verdict.riskCount > 0 {
      appendRisks(verdict)
      append("\n")
    }
  }

  public mutating func append(json verdict: Verdict, isTaken: Bool? = nil) {
    append(isTaken ?? verdict.isApplicable ? "{\"verdict\":\"applicable\"" : "{\"verdict\":\"refused\"")
    append(",\"reasons\":[")
    for (index, reason) in verdict.reasons.enumerated() {
      append(index == 0 ? "{\"code\":" : ",{\"code\":")
      append(jsonString: Bytes(reason.kind.code))
      append(",\"detail\":")
      var line = Text()
      line.append(reason)
      line.withBytes { append(jsonString: $0) }
      append("}")
    }
    append("],\"reason_count\":")
    append(decimal: UInt64(verdict.reasonCount))
    let counters = verdict.counters
    let fields: [(StaticString, Int)] = [
      ("functions", counters.functions), ("equal", counters.equal), ("changed", counters.changed),
      ("added", counters.added), ("removed", counters.removed), ("references", counters.references),
      ("candidates", counters.candidates), ("explained", counters.explained),
    ]
    for (name, value) in fields {
      append(",\"")
      append(name)
      append("\":")
      append(decimal: UInt64(value))
    }
    append(",\"risk_count\":")
    append(decimal: UInt64(verdict.riskCount))
    if verdict.riskCount > 0 {
      var risks = Text()
      risks.appendRisks(verdict)
      append(",\"layout_risk\":")
      risks.withBytes { append(jsonString: $0) }
    }
    append(",\"variables\":[")
    append(jsonVariables: verdict)
    append("]")
    append(
      verdict.needsProgramThread ? ",\"needs_program_thread\":true}\n" : ",\"needs_program_thread\":false}\n")
  }

  /// Those that are not where they were, with their addresses in the files; "evidence" as in `VariablePair.Evidence`.
  private mutating func append(jsonVariables verdict: Verdict) {
    var isFirst = true
    for pair in verdict.variables where pair.kind != .kept {
      append(isFirst ? "{\"kind\":" : ",{\"kind\":")
      isFirst = false
      append(jsonString: Bytes(pair.kind.code))
      if let range = pair.old { append(range, ",\"old\":", ",\"old_size\":") }
      if let range = pair.new { append(range, ",\"new\":", ",\"new_size\":") }
      append(",\"evidence\":")
      append(jsonString: Bytes(pair.evidence.code))
      append(",\"support\":")
      append(decimal: UInt64(pair.support))
      append("}")
    }
  }

  private mutating func append(_ range: AddressRange, _ start: StaticString, _ size: StaticString) {
    append(start)
    append(decimal: range.start)
    append(size)
    append(decimal: range.count)
  }

  /// Where there is no verdict, since a file can't be read or is none.
  public mutating func appendVerdictError(_ detail: Text, isJSON: Bool) {
    append(isJSON ? "{\"verdict\":\"error\",\"detail\":" : "error: ")
    if isJSON {
      detail.withBytes { append(jsonString: $0) }
      append("}")
    } else {
      append(detail.bytes)
    }
    append("\n")
  }
}
