/// `ld-luci.so --check OLD NEW`: Bean's verdict for two files, as the running loader would give it for a program that
/// uses every export.
enum Check {
  /// 0 applicable, 1 refused, 2 error.
  static func run(_ old: Path, _ new: Path, isJSON: Bool) -> (text: Text, code: Int) {
    var text = Text()
    do throws(CheckFailure) {
      let before = try copy(old)
      let after = try copy(new)
      let verdict: Verdict
      do throws(ELFError) { verdict = try compare(before.bytes, after.bytes) } catch {
        // Which of the two it was, the reader of each says.
        let isOld = (try? Binary(before.bytes)) == nil
        throw CheckFailure(LoadError(.malformed(error), isOld ? old : new).message)
      }
      isJSON ? describeJSON(verdict, &text) : describe(verdict, &text)
      return (text, verdict.accepted ? 0 : 1)
    } catch {
      if isJSON {
        text.append("{\"verdict\":\"error\",\"detail\":")
        error.text.withBytes { text.append(jsonString: $0) }
        text.append("}\n")
      } else {
        text.append("error: ")
        text.append(error.text.bytes)
        text.append("\n")
      }
      return (text, 2)
    }
  }

  private struct CheckFailure: Error {
    let text: Text
    init(_ text: Text) { self.text = text }
  }

  private static func compare(_ old: Bytes, _ new: Bytes) throws(ELFError) -> Verdict {
    try Bean.compare(old: old, new: new)
  }

  private static func copy(_ path: Path) throws(CheckFailure) -> PrivateCopy {
    do throws(CopyFailure) { return try PrivateCopy(of: path) } catch {
      var text = Text()
      path.write(to: &text)
      text.append(": ")
      text.append(error.text.bytes)
      throw CheckFailure(text)
    }
  }

  private static func describe(_ verdict: Verdict, _ text: inout Text) {
    text.append(verdict.accepted ? "applicable\n" : "refused\n")
    for reason in verdict.reasons {
      text.append("  ")
      text.append(reason)
      text.append("\n")
    }
    if verdict.reasonCount > verdict.reasons.count {
      text.append("  and ")
      text.append(decimal: UInt64(verdict.reasonCount - verdict.reasons.count))
      text.append(" more\n")
    }
    if verdict.needsProgramThread { text.append("  needs a thread of the program: indirect functions\n") }
    text.appendProof(verdict)
    text.append("\n")
    if verdict.riskCount > 0 {
      text.appendRisks(verdict)
      text.append("\n")
    }
  }

  static func describeJSON(_ verdict: Verdict, _ text: inout Text) {
    text.append(verdict.accepted ? "{\"verdict\":\"applicable\"" : "{\"verdict\":\"refused\"")
    text.append(",\"reasons\":[")
    for (index, reason) in verdict.reasons.enumerated() {
      text.append(index == 0 ? "{\"code\":" : ",{\"code\":")
      text.append(jsonString: Bytes(reason.kind.code))
      text.append(",\"detail\":")
      var line = Text()
      line.append(reason)
      line.withBytes { text.append(jsonString: $0) }
      text.append("}")
    }
    text.append("],\"reason_count\":")
    text.append(decimal: UInt64(verdict.reasonCount))
    let counters = verdict.counters
    let fields: [(StaticString, Int)] = [
      ("functions", counters.functions), ("equal", counters.equal), ("changed", counters.changed),
      ("added", counters.added), ("removed", counters.removed), ("references", counters.references),
      ("candidates", counters.candidates), ("explained", counters.explained),
    ]
    for (name, value) in fields {
      text.append(",\"")
      text.append(name)
      text.append("\":")
      text.append(decimal: UInt64(value))
    }
    text.append(
      verdict.needsProgramThread ? ",\"needs_program_thread\":true}\n" : ",\"needs_program_thread\":false}\n")
  }
}
