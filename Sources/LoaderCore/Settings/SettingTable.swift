/// The table of all settings. Parsing, `--help` and docs/settings.md come from here and from nowhere else.
public enum Setting: UInt8, CaseIterable, Sendable {
  case logLevel, logFile, logFileAppend, logTimeAbsolute
  case statusInfo, earlyStatusInfo, statusFormat
  case dynamicUpdate, dynamicDlupdate, settleTime, useMtime, skipIdentical, forceUpdate, relaxCheck, dependencyCheck
  case layoutCheck, layoutHold, debugHash, relocateCheck, relocateOutdated, debugSymbols, debugSymbolsRoot, trustFiles
  case detectOutdated, detectOutdatedDelay, retireTime, control
  case libraryPath, libraryConf, preload, exclude, path, bindNow, bindNot, dynamicWeak
  case debug, debugOutput, showArgs, showAuxv, showEnv, traceLoadedObjects
}

/// How a setting's value is written.
public enum SettingKind: Equatable, Sendable {
  /// 0 or 1.
  case flag
  /// 0 or 1; what holds without a value depends on the start.
  case automatic
  /// On with any value, as ld.so(8) has it for these.
  case presence
  /// A whole number from 0 to the maximum.
  case number(maximum: UInt64)
  /// A number from 0 to 7 or a level's name.
  case level
  /// `text` or `json`.
  case format
  /// `report` or `refuse`.
  case policy
  /// `disabled`, `userfaultfd`, `uprobes` or `uprobes_deps`.
  case detection
  /// `unix:/path`, `tcp:HOST:PORT` or `udp:HOST:PORT`.
  case address
  case path
  /// Several names; separated by the bytes that the accessor knows.
  case list
}

public struct SettingRow {
  public let name: StaticString
  public let kind: SettingKind
  /// As it would be written; empty for none.
  public let preset: StaticString
  public let help: StaticString

  init(_ name: StaticString, _ kind: SettingKind, _ preset: StaticString, _ help: StaticString) {
    self.name = name
    self.kind = kind
    self.preset = preset
    self.help = help
  }
}

extension Setting {
  public var row: SettingRow {
    switch self {
    case .logLevel:
      SettingRow(
        "LD_LOGLEVEL", .level, "3", "0 none, 1 fatal, 2 error, 3 warning, 4 notice, 5 info, 6 debug, 7 trace")
    case .logFile:
      SettingRow("LD_LOGFILE", .path, "", "file for log lines instead of standard error")
    case .logFileAppend:
      SettingRow("LD_LOGFILE_APPEND", .flag, "0", "keep what the log file has at start")
    case .logTimeAbsolute:
      SettingRow("LD_LOGTIME_ABS", .flag, "0", "log the time of day (UTC) instead of seconds since start")
    case .statusInfo:
      SettingRow("LD_STATUS_INFO", .path, "", "file, FIFO or unix socket that gets a line for each event")
    case .earlyStatusInfo:
      SettingRow(
        "LD_EARLY_STATUS_INFO", .flag, "0", "write events of start-up at once, not when the program is ready")
    case .statusFormat:
      SettingRow("LD_STATUS_FORMAT", .format, "text", "form of these lines")
    case .dynamicUpdate:
      SettingRow(
        "LD_DYNAMIC_UPDATE", .automatic, "", "replace changed objects; unset: if the program was started for it")
    case .dynamicDlupdate:
      SettingRow("LD_DYNAMIC_DLUPDATE", .flag, "1", "also objects opened with dlopen")
    case .settleTime:
      SettingRow("LD_SETTLE_TIME", .number(maximum: 60_000), "50", "milliseconds without change before an update")
    case .useMtime:
      SettingRow("LD_USE_MTIME", .flag, "0", "no update to a file with the modification time of the one in use")
    case .skipIdentical:
      SettingRow("LD_SKIP_IDENTICAL", .flag, "1", "no update to a file with the same content")
    case .forceUpdate:
      SettingRow("LD_FORCE_UPDATE", .flag, "0", "update although initial data has other content")
    case .relaxCheck:
      SettingRow(
        "LD_RELAX_CHECK", .number(maximum: 3), "0",
        "update although: 1 init functions differ, 2 also initial data, 3 also which variables functions use")
    case .dependencyCheck:
      SettingRow("LD_DEPENDENCY_CHECK", .flag, "0", "functions that call a changed function count as changed")
    case .layoutCheck:
      SettingRow(
        "LD_LAYOUT_CHECK", .policy, "wait", "what to do where structures seem to have another layout")
    case .layoutHold:
      SettingRow(
        "LD_LAYOUT_HOLD", .number(maximum: 60_000), "20",
        "milliseconds for which threads may be kept from making objects of an old layout")
    case .debugHash:
      SettingRow(
        "LD_DEBUG_HASH", .address, "", "service that knows from debug information whether types have the same layout")
    case .relocateCheck:
      SettingRow(
        "LD_RELOCATE_CHECK", .flag, "1", "pointers that the program has changed stay as they are at an update")
    case .relocateOutdated:
      SettingRow("LD_RELOCATE_OUTDATED", .flag, "1", "old versions call the functions of the new one, too")
    case .debugSymbols:
      SettingRow("LD_DEBUG_SYMBOLS", .flag, "0", "compare with the names of separate debug files, found by build id")
    case .debugSymbolsRoot:
      SettingRow("LD_DEBUG_SYMBOLS_ROOT", .path, "/usr/lib/debug", "where these are, in .build-id")
    case .trustFiles:
      SettingRow("LD_TRUST_FILES", .flag, "0", "update from files whoever owns them or may write to them")
    case .detectOutdated:
      SettingRow(
        "LD_DETECT_OUTDATED", .detection, "disabled", "how it is seen that code of outdated versions still runs")
    case .detectOutdatedDelay:
      SettingRow(
        "LD_DETECT_OUTDATED_DELAY", .number(maximum: 86_400), "1", "seconds from an update to the first look for that"
      )
    case .retireTime:
      SettingRow(
        "LD_RETIRE_TIME", .number(maximum: 86_400), "10", "seconds without use until an outdated version is given up")
    case .control:
      SettingRow("LD_CONTROL", .flag, "1", "answer the command luci, for the user of the process and root")
    case .libraryPath:
      SettingRow("LD_LIBRARY_PATH", .list, "", "directories to search first, separated by ':' or ';'")
    case .libraryConf:
      SettingRow(
        "LD_LIBRARY_CONF", .path, "", "file with one more directory per line; unset: libpath.conf in /opt/luci")
    case .preload:
      SettingRow("LD_PRELOAD", .list, "", "objects to load first, separated by ':' or spaces")
    case .exclude:
      SettingRow("LD_EXCLUDE", .list, "", "libraries that are not loaded because others need them, separated by ';'")
    case .path:
      SettingRow("LD_PATH", .path, "", "path of the loader, as debuggers see it; unset: by which it was started")
    case .bindNow:
      SettingRow("LD_BIND_NOW", .presence, "", "resolve all functions at start")
    case .bindNot:
      SettingRow("LD_BIND_NOT", .flag, "0", "look functions of lazily linked objects up anew at each call")
    case .dynamicWeak:
      SettingRow("LD_DYNAMIC_WEAK", .flag, "0", "a weak definition counts only where there is no other")
    case .debug:
      SettingRow(
        "LD_DEBUG", .list, "", "what to trace: libs files reloc bindings symbols versions statistics all; or help")
    case .debugOutput:
      SettingRow("LD_DEBUG_OUTPUT", .path, "", "file for these lines; the process id is appended to its name")
    case .showArgs:
      SettingRow("LD_SHOW_ARGS", .presence, "", "print the program's arguments")
    case .showAuxv:
      SettingRow("LD_SHOW_AUXV", .presence, "", "print the auxiliary vector")
    case .showEnv:
      SettingRow("LD_SHOW_ENV", .presence, "", "print the environment")
    case .traceLoadedObjects:
      SettingRow("LD_TRACE_LOADED_OBJECTS", .presence, "", "list the objects instead of running the program")
    }
  }

  /// The setting of a name like `LD_LOGLEVEL`.
  init?(name: Bytes) {
    guard name.hasPrefix("LD_") else { return nil }
    for setting in Setting.allCases where name == Bytes(setting.row.name) {
      self = setting
      return
    }
    return nil
  }

  /// The setting of an option like `--library-path`: the name in lower case without its LD_, with '-' for '_'.
  init?(option: Bytes) {
    guard option.hasPrefix("--"), let word = option.suffix(from: 2), word.count > 0 else { return nil }
    for setting in Setting.allCases where setting.optionName.bytes.count == option.count {
      let own = setting.optionName.bytes
      var index = 0
      while index < own.count && own[index] == option[index] { index += 1 }
      if index == own.count {
        self = setting
        return
      }
    }
    return nil
  }

  /// With the two dashes.
  var optionName: Text {
    var text = Text("--")
    let name = Bytes(row.name)
    for index in 3..<max(3, name.count) {
      let byte = name[index]
      text.append(byte: byte == 95 ? 45 : (65...90).contains(byte) ? byte + 32 : byte)
    }
    return text
  }
}

extension SettingKind {
  /// For help and documentation.
  var form: Text {
    switch self {
    case .flag, .automatic: return Text("0|1")
    case .presence: return Text("1")
    case .number(let maximum):
      var text = Text("0…")
      text.append(decimal: maximum)
      return text
    case .level: return Text("0…7")
    case .format: return Text("text|json")
    case .policy: return Text("wait|report|refuse")
    case .detection: return Text("disabled|userfaultfd|uprobes|uprobes_deps")
    case .address: return Text("unix:/PATH|tcp:HOST:PORT|udp:HOST:PORT")
    case .path: return Text("PATH")
    case .list: return Text("LIST")
    }
  }
}
