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
    if !verdict.pointers.isEmpty {
      appendPointers(verdict)
      append("\n")
    }
    if verdict.riskCount > 0 {
      appendRisks(verdict)
      append("\n")
    }
  }

  public mutating func append(json verdict: Verdict, isTaken: Bool? = nil) {
    var writer = JSONWriter()
    writer.value(verdict, isTaken: isTaken)
    append(writer.text.bytes)
    append("\n")
  }

  /// Where there is nothing to compare.
  public mutating func appendSameFile(isJSON: Bool) {
    append(isJSON ? "{\"verdict\":\"same\"}\n" : "same: the files have the same content\n")
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

extension JSONWriter {
  /// `isTaken`: what settings make of it.
  public mutating func value(_ verdict: Verdict, isTaken: Bool? = nil) {
    object { (writer) in
      writer.field("verdict", Bytes(isTaken ?? verdict.isApplicable ? "applicable" : "refused"))
      writer.field("hooks_take_state", verdict.hooksTakeState)
      writer.key("reasons")
      writer.array { (writer) in
        for reason in verdict.reasons {
          writer.object { (writer) in
            writer.field("code", Bytes(reason.kind.code))
            writer.key("detail")
            writer.text { $0.append(reason) }
          }
        }
      }
      writer.field("reason_count", verdict.reasonCount)
      writer.fields(verdict.counters)
      writer.field("risk_count", verdict.riskCount)
      if verdict.riskCount > 0 {
        writer.key("layout_risk")
        writer.text { $0.appendRisks(verdict) }
        writer.objects(of: verdict)
      }
      writer.key("variables")
      writer.array { (writer) in
        for pair in verdict.variables where pair.kind != .kept { writer.value(pair) }
      }
      writer.key("pointers")
      writer.array { (writer) in
        for pointer in verdict.pointers {
          writer.object { (writer) in
            writer.field("old", Int(clamping: pointer.old))
            writer.field("new", Int(clamping: pointer.new))
          }
        }
      }
      writer.field("needs_program_thread", verdict.needsProgramThread)
    }
  }

  /// What objects of the old layout can be recognised by; null: not known.
  private mutating func objects(of verdict: Verdict) {
    key("object_sizes")
    if verdict.isRiskOfSizes {
      array { (writer) in for size in verdict.objectSizes { writer.value(Int(clamping: size)) } }
    } else {
      null()
    }
    key("makers")
    guard let makers = verdict.makers else { return null() }
    array { (writer) in for maker in makers { writer.value(maker.name) } }
  }

  private mutating func fields(_ counters: Verdict.Counters) {
    field("functions", counters.functions)
    field("equal", counters.equal)
    field("changed", counters.changed)
    field("added", counters.added)
    field("removed", counters.removed)
    field("references", counters.references)
    field("candidates", counters.candidates)
    field("explained", counters.explained)
  }

  /// With its addresses in the files; "evidence" as in `VariablePair.Evidence`.
  private mutating func value(_ pair: VariablePair) {
    object { (writer) in
      writer.field("kind", Bytes(pair.kind.code))
      if let range = pair.old {
        writer.field("old", Int(clamping: range.start))
        writer.field("old_size", Int(clamping: range.count))
      }
      if let range = pair.new {
        writer.field("new", Int(clamping: range.start))
        writer.field("new_size", Int(clamping: range.count))
      }
      writer.field("evidence", Bytes(pair.evidence.code))
      writer.field("support", pair.support)
    }
  }

  /// A string made of what `body` appends.
  private mutating func text(_ body: (inout Text) -> Void) {
    var text = Text()
    body(&text)
    text.withBytes { value($0) }
  }
}
