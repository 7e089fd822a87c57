/// `ld-luci.so --check OLD NEW`: Bean's verdict for two files, and what the running loader makes of it with these settings
/// in a program that uses every export.
enum Check {
  /// 0 applicable, 1 refused, 2 error.
  static func run(_ old: Path, _ new: Path, _ settings: Settings, isJSON: Bool) -> (text: Text, code: Int) {
    do throws(CheckFailure) {
      let (before, after) = (try content(old), try content(new))
      return before.withUnsafeBytes { (before) in
        after.withUnsafeBytes { (after) in
          verdict(old, Bytes(before), new, Bytes(after), settings, isJSON: isJSON)
        }
      }
    } catch {
      return failed(error, isJSON: isJSON)
    }
  }

  private static func verdict(
    _ old: Path, _ before: Bytes, _ new: Path, _ after: Bytes, _ settings: Settings, isJSON: Bool
  ) -> (text: Text, code: Int) {
    var text = Text()
    let verdict: Verdict
    do throws(ELFError) { verdict = try compare(before, after) } catch {
      // Which of the two it was, the reader of each says.
      let isOld = (try? Binary(before)) == nil
      return failed(CheckFailure(LoadError(.malformed(error), isOld ? old : new).message), isJSON: isJSON)
    }
    if settings.skipsIdentical, before == after {
      text.appendSameFile(isJSON: isJSON)
      return (text, 0)
    }
    let isTaken = settings.takes(verdict) && !(settings.refusesLayoutRisks && !verdict.risks.isEmpty)
    isJSON ? text.append(json: verdict, isTaken: isTaken) : text.append(verdict, isTaken: isTaken)
    return (text, isTaken ? 0 : 1)
  }

  private static func failed(_ failure: CheckFailure, isJSON: Bool) -> (text: Text, code: Int) {
    var text = Text()
    text.appendVerdictError(failure.text, isJSON: isJSON)
    return (text, 2)
  }

  private struct CheckFailure: Error {
    let text: Text
    init(_ text: Text) { self.text = text }
  }

  private static func compare(_ old: Bytes, _ new: Bytes) throws(ELFError) -> Verdict {
    let before = try Binary(old)
    let after = try Binary(new, like: before)
    // This process ends soon: giving tens of megabytes back page by page would only keep the answer waiting.
    _ = (Unmanaged.passRetained(before), Unmanaged.passRetained(after))
    return Bean.compare(old: before, new: after)
  }

  private static func content(_ path: Path) throws(CheckFailure) -> [UInt8] {
    do throws(CopyFailure) { return try PrivateCopy.content(of: path) } catch {
      var text = Text()
      path.write(to: &text)
      text.append(": ")
      text.append(error.text.bytes)
      throw CheckFailure(text)
    }
  }
}

extension Settings {
  /// Whether an update is made, as far as that is up to the two files.
  func takes(_ verdict: Verdict) -> Bool { binds(verdict) || verdict.hooksTakeState }

  /// The same, with the state where it is.
  func binds(_ verdict: Verdict) -> Bool {
    verdict.isAccepted(relaxation: relaxation) || forcesUpdate && verdict.isContentOnly
  }
}
