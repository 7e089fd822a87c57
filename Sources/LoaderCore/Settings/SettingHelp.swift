/// What `--help` prints and docs/settings.md holds.
extension Settings {
  /// Two lines for each setting: how it is written, and what it means.
  public static func help() -> Text {
    var text = Text("Settings, from the configuration file, the environment and options (the last one counts):\n")
    for setting in Setting.allCases {
      let row = setting.row
      text.append("  ")
      text.append(row.name)
      text.append("=")
      text.append(row.kind.form.bytes)
      text.append("  ")
      text.append(setting.optionName.bytes)
      if row.kind != .presence {
        text.append("=")
        text.append(row.kind.form.bytes)
      }
      if row.preset.utf8CodeUnitCount > 0 {
        text.append("  [")
        text.append(row.preset)
        text.append("]")
      }
      text.append("\n      ")
      text.append(row.help)
      text.append("\n")
    }
    return text
  }

  /// A Markdown table.
  public static func documentation() -> Text {
    var text = Text("| Name | Option | Values | Default | Meaning |\n|---|---|---|---|---|\n")
    for setting in Setting.allCases {
      let row = setting.row
      text.append("| `")
      text.append(row.name)
      text.append("` | `")
      text.append(setting.optionName.bytes)
      text.append("` | ")
      for byte in row.kind.form.bytes {
        if byte == 124 { text.append("\\") }
        text.append(byte: byte)
      }
      text.append(" | ")
      text.append(row.preset)
      text.append(" | ")
      text.append(row.help)
      text.append(" |\n")
    }
    return text
  }
}
