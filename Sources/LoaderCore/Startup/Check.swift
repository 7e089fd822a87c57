/// `ld-luci.so --check OLD NEW`: Bean's verdict for two files, as the running loader would give it for a program that
/// uses every export.
enum Check {
  /// 0 applicable, 1 refused, 2 error.
  static func run(_ old: Path, _ new: Path, isJSON: Bool) -> (text: Text, code: Int) {
    var text = Text()
    do throws(CheckFailure) {
      let before = try copy(old)
      let after = try copy(new)
      // This process ends soon: giving tens of megabytes back page by page would only keep the answer waiting.
      _ = (Unmanaged.passRetained(before), Unmanaged.passRetained(after))
      let verdict: Verdict
      do throws(ELFError) { verdict = try compare(before.bytes, after.bytes) } catch {
        // Which of the two it was, the reader of each says.
        let isOld = (try? Binary(before.bytes)) == nil
        throw CheckFailure(LoadError(.malformed(error), isOld ? old : new).message)
      }
      isJSON ? text.append(json: verdict) : text.append(verdict)
      return (text, verdict.isApplicable ? 0 : 1)
    } catch {
      text.appendVerdictError(error.text, isJSON: isJSON)
      return (text, 2)
    }
  }

  private struct CheckFailure: Error {
    let text: Text
    init(_ text: Text) { self.text = text }
  }

  private static func compare(_ old: Bytes, _ new: Bytes) throws(ELFError) -> Verdict {
    let before = try Binary(old)
    let after = try Binary(new, like: before)
    _ = (Unmanaged.passRetained(before), Unmanaged.passRetained(after))
    return Bean.compare(old: before, new: after)
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
}
