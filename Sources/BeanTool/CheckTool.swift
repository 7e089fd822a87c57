import Bean

/// `bean check OLD NEW`: what `ld-luci.so --check` says, in the same words.
public enum CheckTool {
  /// Exit code 0: applicable, 1: refused, 2: error.
  public static func run(_ old: String, _ new: String, isJSON: Bool) -> ToolResult {
    var result = ToolResult()
    do {
      let before = try InputFile(old)
      let after = try InputFile(new)
      let old = try binary(before)
      let verdict = Bean.compare(old: old, new: try binary(after, like: old))
      isJSON ? result.text.append(json: verdict) : result.text.append(verdict)
      result.code = verdict.isApplicable ? 0 : 1
      return result
    } catch {
      var detail = Text()
      detail.append(Array("\(error)".utf8))
      result.text.appendVerdictError(detail, isJSON: isJSON)
      result.code = 2
      return result
    }
  }

  private static func binary(_ file: InputFile, like other: Binary? = nil) throws -> Binary {
    do throws(ELFError) { return try Binary(file.bytes, like: other) } catch { throw error.message(file.path) }
  }
}
