import Testing

@testable import LoaderCore

/// Settings of some environment entries and a configuration file.
func settings(_ environment: [String] = [], file: String = "", isSecure: Bool = false) -> Settings {
  var settings = Settings(isSecure: isSecure)
  Array(file.utf8).withUnsafeBytes { settings.read(file: Bytes($0)) }
  for entry in environment {
    Array(entry.utf8).withUnsafeBytes { settings.read(environment: [Bytes($0)]) }
  }
  return settings
}

@Suite struct SettingsTests {
  @Test func defaults() {
    let settings = settings()
    #expect(settings.logLevel == .warning)
    #expect(settings.settleMilliseconds == 50)
    #expect(settings.skipsIdentical && settings.updatesOpenedObjects)
    #expect(!settings.forcesUpdate && !settings.trustsFiles && !settings.bindsNow)
    #expect(settings.logFile == nil && settings.statusTarget == nil)
    #expect(settings.statusFormat == .text)
    #expect(settings.libraryPath.isEmpty && settings.preload.isEmpty)
    #expect(settings.warnings.isEmpty)
  }

  /// Presets go through the same check as values, so a wrong one would be seen as unset.
  @Test(arguments: Setting.allCases) func presetIsValid(setting: Setting) {
    let isSet = settings().value(of: setting).isSet
    #expect(isSet == (setting.row.preset.utf8CodeUnitCount > 0))
  }

  @Test func laterSourcesWin() {
    let file = "LD_SETTLE_TIME=10\nLD_LOGLEVEL=5\n"
    #expect(settings(file: file).settleMilliseconds == 10)
    #expect(settings(["LD_SETTLE_TIME=20"], file: file).settleMilliseconds == 20)
    #expect(settings(["LD_SETTLE_TIME=20"], file: file).logLevel == .info)
    var both = settings(["LD_SETTLE_TIME=20"], file: file)
    #expect(both.read(option: Bytes("--settle-time=30"), next: nil) == .taken)
    #expect(both.settleMilliseconds == 30)
    #expect(both.source(of: .settleTime) == .option && both.source(of: .logLevel) == .file)
  }

  @Test func emptyValueIsNotSet() {
    #expect(settings(["LD_SETTLE_TIME="], file: "LD_SETTLE_TIME=10").settleMilliseconds == 10)
    #expect(!settings(["LD_BIND_NOW="]).bindsNow)
    #expect(settings(["LD_BIND_NOW=0"]).bindsNow)
    #expect(settings(["LD_LIBRARY_PATH="]).libraryPath.isEmpty)
    #expect(settings(file: "LD_LOGFILE = \n").warnings.isEmpty)
  }

  @Test func firstEntryOfANameCounts() {
    #expect(settings(["LD_LOGLEVEL=1", "LD_LOGLEVEL=7"]).logLevel == .fatal)
  }

  @Test func secureProgramsListenToTheFileOnly() {
    var secure = settings(
      ["LD_PRELOAD=/tmp/evil.so", "LD_LOGLEVEL=7", "LD_DYNAMIC_UPDATE=1"], file: "LD_LOGLEVEL=2", isSecure: true)
    #expect(secure.preload.isEmpty)
    #expect(secure.logLevel == .error)
    #expect(secure.read(option: Bytes("--preload"), next: Bytes("/tmp/evil.so")) == .takenWithNext)
    #expect(secure.preload.isEmpty)
    #expect(!secure.updatesObjects(startedForIt: true))
    #expect(!settings(file: "LD_DYNAMIC_UPDATE=1", isSecure: true).updatesObjects(startedForIt: true))
  }

  @Test func updatesFollowTheStart() {
    #expect(settings().updatesObjects(startedForIt: true))
    #expect(!settings().updatesObjects(startedForIt: false))
    #expect(settings(["LD_DYNAMIC_UPDATE=1"]).updatesObjects(startedForIt: false))
    #expect(!settings(["LD_DYNAMIC_UPDATE=0"]).updatesObjects(startedForIt: true))
  }

  @Test(arguments: [
    "LD_LOGLEVEL=8", "LD_LOGLEVEL=-1", "LD_LOGLEVEL=loud", "LD_LOGFILE_APPEND=yes", "LD_SETTLE_TIME=60001",
    "LD_SETTLE_TIME=99999999999999999999", "LD_SETTLE_TIME=5 0", "LD_STATUS_FORMAT=xml", "LD_FORCE_UPDATE=2",
    "LD_LAYOUT_CHECK=1", "LD_LAYOUT_CHECK=refused",
  ]) func wrongValueWarnsAndKeepsTheDefault(entry: String) {
    let wrong = settings([entry])
    #expect(wrong.warnings.count == 1)
    #expect(wrong.logLevel == .warning && wrong.settleMilliseconds == 50 && wrong.statusFormat == .text)
    #expect(!wrong.refusesLayoutRisks && settings(["LD_LAYOUT_CHECK=refuse"]).refusesLayoutRisks)
    #expect(!wrong.forcesUpdate && !wrong.appendsToLogFile)
  }

  @Test func levelsByName() {
    #expect(settings(["LD_LOGLEVEL=trace"]).logLevel == .trace)
    #expect(settings(["LD_LOGLEVEL=0"]).logLevel == .none)
  }

  @Test func lists() {
    let lists = settings(["LD_LIBRARY_PATH=/a:/b;;c", "LD_PRELOAD=x.so  y.so:z.so", "LD_DEBUG=libs,bindings,zzz"])
    #expect(lists.libraryPath.map(\.string) == ["/a", "/b", "", "c"])
    #expect(lists.preload.map(\.string) == ["x.so", "y.so", "z.so"])
    #expect(lists.debug == [.libraries, .bindings])
  }

  @Test func fileFormat() {
    let file = "# comment\r\n\r\n  LD_LOGLEVEL = 5 \r\n#LD_SETTLE_TIME=1\nLD_LOGFILE=/var/log/a b=c.log"
    let read = settings(file: file)
    #expect(read.logLevel == .info && read.settleMilliseconds == 50)
    #expect(read.logFile?.string == "/var/log/a b=c.log")
    #expect(read.warnings.isEmpty)
  }

  @Test func hostileFileIsHarmless() {
    let lines = String(repeating: "LD_NOTHING=\u{1b}[2J\n", count: 10_000) + "=\n==\nLD_\nLD_LOGLEVEL\n"
    let read = settings(file: lines + "LD_LOGLEVEL=4\nLD_LOGFILE=/a\0b\n")
    #expect(read.warnings.count == 16)
    #expect(read.warnings.allSatisfy { !$0.bytes.contains(0x1b) && $0.bytes.count < 200 })
    #expect(read.logLevel == .notice)
    #expect(read.logFile == nil)
  }

  /// Any bytes at all: seeded noise of the characters that matter.
  @Test func noiseNeverTraps() {
    var state: UInt64 = 88_172_645_463_325_252
    let alphabet = Array("LD_LOGEVSTAU=#\n\r\t 0179:;,\0-é".utf8)
    for _ in 0..<2_000 {
      var noise: [UInt8] = []
      for _ in 0..<64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        noise.append(alphabet[Int(state % UInt64(alphabet.count))])
      }
      noise.withUnsafeBytes { bytes in
        var settings = Settings(isSecure: false, file: Bytes(bytes), environment: [Bytes(bytes)])
        _ = settings.read(option: Bytes(bytes), next: Bytes(bytes))
        #expect(settings.warnings.count <= 16)
        _ = (settings.libraryPath, settings.preload, settings.debug, settings.logLevel)
      }
    }
  }

  @Test func options() {
    var settings = settings()
    #expect(settings.read(option: Bytes("--library-path"), next: Bytes("/x")) == .takenWithNext)
    #expect(settings.libraryPath.map(\.string) == ["/x"])
    #expect(settings.read(option: Bytes("--bind-now"), next: Bytes("/x")) == .taken)
    #expect(settings.bindsNow)
    #expect(settings.read(option: Bytes("--check"), next: nil) == .notASetting)
    #expect(settings.read(option: Bytes("--"), next: nil) == .notASetting)
    #expect(settings.read(option: Bytes("--=1"), next: nil) == .notASetting)
    #expect(settings.read(option: Bytes("--logfile"), next: nil) == .taken)
    #expect(settings.warnings.count == 1)
  }

  @Test func configurationFileOnDisk() {
    let directory = TemporaryDirectory()
    directory.write("good", "LD_LOGLEVEL=6\n")
    directory.write("open", "LD_LOGLEVEL=6\n", mode: 0o666)
    directory.write("large", String(repeating: "#", count: 70_000))
    directory.makeFIFO("fifo")
    var settings = Settings(isSecure: false)
    settings.read(fileAt: directory.path("missing"))
    #expect(settings.warnings.isEmpty)
    for name in ["open", "large", "fifo", "."] { settings.read(fileAt: directory.path(name)) }
    #expect(settings.warnings.count == 4)
    #expect(settings.logLevel == .warning)
    settings.read(fileAt: directory.path("good"))
    #expect(settings.logLevel == .debug)
  }

  @Test func helpNamesEverySetting() {
    let help = Settings.help().string
    for setting in Setting.allCases {
      let name = String(decoding: Bytes(setting.row.name).copy(), as: UTF8.self)
      #expect(help.contains("  \(name)="))
      #expect(Settings.documentation().string.contains("| `\(name)` |"))
    }
    #expect(help.contains("--library-path=LIST"))
  }
}
