/// Typed access to the values.
extension Settings {
  private func flag(_ setting: Setting) -> Bool { value(of: setting).number != 0 }

  private func path(_ setting: Setting) -> Path? {
    let value = value(of: setting)
    guard value.isSet else { return nil }
    return value.text.withUnsafeBytes { Path(Bytes($0)) }
  }

  /// The parts between separators. Empty ones are kept where they mean the working directory.
  private func list(_ setting: Setting, _ separators: (UInt8, UInt8), keepingEmpty: Bool) -> [Path] {
    let value = value(of: setting)
    guard value.isSet else { return [] }
    return value.text.withUnsafeBytes { Bytes($0).parts(separators, keepingEmpty: keepingEmpty) }
  }

  public var logLevel: LogLevel {
    LogLevel(rawValue: UInt8(truncatingIfNeeded: value(of: .logLevel).number)) ?? .warning
  }
  public var logFile: Path? { path(.logFile) }
  public var appendsToLogFile: Bool { flag(.logFileAppend) }
  public var logsAbsoluteTime: Bool { flag(.logTimeAbsolute) }

  public var statusTarget: Path? { path(.statusInfo) }
  public var reportsEarly: Bool { flag(.earlyStatusInfo) }
  public var statusFormat: StatusFormat { value(of: .statusFormat).number == 1 ? .json : .text }

  /// Whether changed objects are replaced. `startedForIt`: the program's interpreter is Luci, or it was started
  /// through `ld-luci.so`. Never for a set-user-ID program.
  public func updatesObjects(startedForIt: Bool) -> Bool {
    if isSecure { return false }
    let value = value(of: .dynamicUpdate)
    return value.isSet ? value.number != 0 : startedForIt
  }
  /// Whether that holds for objects opened with dlopen, too.
  public var updatesOpenedObjects: Bool { flag(.dynamicDlupdate) }
  public var settleMilliseconds: UInt64 { value(of: .settleTime).number }
  public var comparesModificationTime: Bool { flag(.useMtime) }
  public var skipsIdentical: Bool { flag(.skipIdentical) }
  public var forcesUpdate: Bool { flag(.forceUpdate) }
  /// 0: whatever Bean has against an update counts.
  public var relaxation: UInt64 { value(of: .relaxCheck).number }
  public var checksDependencies: Bool { flag(.dependencyCheck) }
  public var keepsChangedPointers: Bool { flag(.relocateCheck) }
  public var relocatesOutdated: Bool { flag(.relocateOutdated) }
  /// Where debug files are; nil: they are not used.
  public var debugSymbols: Path? { flag(.debugSymbols) ? path(.debugSymbolsRoot) : nil }
  public var refusesLayoutRisks: Bool { value(of: .layoutCheck).number == 1 }
  /// In milliseconds.
  public var layoutHold: UInt64 { value(of: .layoutHold).number }
  public var waitsForLayouts: Bool { value(of: .layoutCheck).number == 2 }
  public var debugHashAddress: DebugHashAddress? {
    value(of: .debugHash).text.withUnsafeBytes { DebugHashAddress(Bytes($0)) }
  }
  public var trustsFiles: Bool { flag(.trustFiles) }

  var detectionDelaySeconds: UInt64 { value(of: .detectOutdatedDelay).number }
  var retireSeconds: UInt64 { value(of: .retireTime).number }
  var answersControl: Bool { flag(.control) }

  /// Directories; an empty path stands for the working directory (ld.so(8)).
  public var libraryPath: [Path] { list(.libraryPath, (58, 59), keepingEmpty: true) }
  public var preload: [Path] { list(.preload, (58, 32), keepingEmpty: false) }
  /// nil: libpath.conf beside the configuration file.
  public var libraryConfiguration: Path? { path(.libraryConf) }
  public var excluded: [Path] { list(.exclude, (59, 59), keepingEmpty: false) }
  public var loaderPath: Path? { path(.path) }
  public var looksUpAtEachCall: Bool { flag(.bindNot) }
  public var prefersStrongSymbols: Bool { flag(.dynamicWeak) }
  public var showsArguments: Bool { flag(.showArgs) }
  public var showsEnvironment: Bool { flag(.showEnv) }
  public var bindsNow: Bool { flag(.bindNow) }
  public var showsAuxv: Bool { flag(.showAuxv) }
  public var listsObjects: Bool { flag(.traceLoadedObjects) }
  /// The process id is appended.
  public var debugFile: Path? { path(.debugOutput) }

  public var debug: DebugOutput {
    var result: DebugOutput = []
    for word in debugWords { word.withBytes { result.formUnion(DebugOutput(word: $0)) } }
    return result
  }
  var debugWords: [Path] { list(.debug, (44, 32), keepingEmpty: false) }
}

/// What LD_DEBUG asks for, in the words of ld.so(8); words that Luci has nothing to say about are passed over.
public struct DebugOutput: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static var libraries: DebugOutput { DebugOutput(rawValue: 1) }
  public static var files: DebugOutput { DebugOutput(rawValue: 2) }
  public static var relocations: DebugOutput { DebugOutput(rawValue: 4) }
  public static var bindings: DebugOutput { DebugOutput(rawValue: 8) }
  public static var symbols: DebugOutput { DebugOutput(rawValue: 16) }
  public static var versions: DebugOutput { DebugOutput(rawValue: 32) }
  public static var statistics: DebugOutput { DebugOutput(rawValue: 64) }
  /// Everything but statistics, as glibc has it.
  public static var all: DebugOutput { DebugOutput(rawValue: 63) }
  public static var help: DebugOutput { DebugOutput(rawValue: 128) }
  /// `1`: no trace, but a file image of each version for debuggers (docs/gdb.md).
  public static var images: DebugOutput { DebugOutput(rawValue: 256) }
  /// Calls of constructors and destructors are told with any of these (glibc's DL_DEBUG_IMPCALLS).
  public static var calls: DebugOutput { DebugOutput(rawValue: 31) }

  init(word: Bytes) {
    if word == Bytes("libs") {
      self = .libraries
    } else if word == Bytes("files") {
      self = .files
    } else if word == Bytes("reloc") {
      self = .relocations
    } else if word == Bytes("bindings") {
      self = .bindings
    } else if word == Bytes("symbols") {
      self = .symbols
    } else if word == Bytes("versions") {
      self = .versions
    } else if word == Bytes("statistics") {
      self = .statistics
    } else if word == Bytes("help") {
      self = .help
    } else if word == Bytes("1") {
      self = .images
    } else if word == Bytes("all") {
      self = .all
    } else {
      self = []
    }
  }

  /// Words of ld.so(8), those included that Luci has nothing to say about.
  static func isKnown(_ word: Bytes) -> Bool {
    !DebugOutput(word: word).isEmpty || word == Bytes("scopes") || word == Bytes("unused") || word == Bytes("tls")
  }
}

extension Bytes {
  /// The pieces between two kinds of separators.
  func parts(_ separators: (UInt8, UInt8), keepingEmpty: Bool) -> [Path] {
    var result: [Path] = []
    var start = 0
    var index = 0
    while index <= count {
      if index == count || self[index] == separators.0 || self[index] == separators.1 {
        if index > start || keepingEmpty, let part = slice(at: UInt64(start), count: UInt64(index - start)) {
          result.append(Path(part))
        }
        start = index + 1
      }
      index += 1
    }
    return result
  }
}
