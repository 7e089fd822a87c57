import ArgumentParser
import Foundation
import LuciControl

@main
struct Luci: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "luci",
    abstract: "Asks and steers processes that run under ld-luci.so.",
    discussion: """
      Exit status: 0 all is well, 1 something needs attention (old code in use or possibly in use, an update refused or
      waiting), 2 error. A process may be asked by its user and by root.
      """,
    subcommands: [
      List.self, Status.self, Check.self, Pause.self, Resume.self, Undo.self, Log.self, Detect.self, Wait.self,
    ])

  /// Errors of the command line end with 2, too.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as AskError {
      fail("\(error)")
    } catch {
      let code = exitCode(for: error)
      if code.rawValue > 2 {
        FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
        Foundation.exit(2)
      }
      exit(withError: error)
    }
  }

  static func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("luci: \(message)\n".utf8))
    Foundation.exit(2)
  }
}

/// Standard output may be a pipe that nobody reads any more.
func show(_ text: String) {
  try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
}

struct FormOptions: ParsableArguments {
  @Flag(help: "Print JSON.")
  var json = false

  @Flag(name: .customLong("openmetrics"), help: "Print metrics in the format of OpenMetrics.")
  var openMetrics = false

  var form: OutputForm { openMetrics ? .openMetrics : json ? .json : .table }

  func validate() throws {
    if json && openMetrics { throw ValidationError("--json and --openmetrics exclude each other") }
  }
}

struct TargetOptions: ParsableArguments {
  @Argument(
    help: "The process id.", completion: .shellCommand("luci ps 2>/dev/null | awk '/^[0-9]/ { print $1 }'"))
  var pid: Int

  @Option(help: "Seconds to wait for the process's answer.")
  var patience = 5.0

  var duration: Duration { .milliseconds(Int(patience * 1000)) }

  func validate() throws {
    if pid <= 0 { throw ValidationError("\(pid) is no process id") }
    if !(patience > 0 && patience < 1e6) { throw ValidationError("--patience is a number of seconds") }
  }

  func process() throws -> LuciProcess { try LuciProcess(pid: pid) }
}

struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps", abstract: "Lists all processes under Luci that you may ask.")

  @OptionGroup var output: FormOptions

  func run() throws {
    // One that does not answer, or ends meanwhile, is left out.
    let all = LuciProcess.all().compactMap { try? $0.status(timeout: .seconds(2)) }
    show(Rendering.processes(all, as: output.form))
    if all.contains(where: { $0.needsAttention }) { throw ExitCode(1) }
  }
}

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells the versions of a process's objects, and whether old code of them still runs.")

  @OptionGroup var target: TargetOptions
  @Argument(help: "Only this object, by name or path.")
  var object: String?
  @OptionGroup var output: FormOptions

  func run() throws {
    var status = try target.process().status(timeout: target.duration)
    if let object {
      status = status.limited(to: object)
      if status.objects.isEmpty { throw AskError.refused("process \(target.pid) has no object \(object)") }
    }
    show(Rendering.process(status, as: output.form))
    let needsAttention = object == nil ? status.needsAttention : status.objects.contains { $0.needsAttention }
    if needsAttention { throw ExitCode(1) }
  }
}

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells whether the process could go over to a file, without doing it.",
    discussion: "The verdict is about what runs now. Exit status: 0 applicable, 1 refused, 2 error.")

  @OptionGroup var target: TargetOptions
  @Argument(help: "The new file, as the process would see it.", completion: .file())
  var file: String
  @Option(help: "The object it would replace; without it, the one of the file's name.")
  var object: String?
  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let path = file.hasPrefix("/") ? file : FileManager.default.currentDirectoryPath + "/" + file
    let verdict = try target.process().decode(
      CheckVerdict.self, "check", [path] + (object.map { [$0] } ?? []), timeout: target.duration)
    show(json ? Rendering.json(verdict) : verdict.text)
    if !verdict.isApplicable { throw ExitCode(1) }
  }
}

struct Pause: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "No object of the process is replaced until it is resumed, and no text is taken away.")

  @OptionGroup var target: TargetOptions

  func run() throws { _ = try target.process().order("pause", timeout: target.duration) }
}

struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ends a pause; files that changed meanwhile are looked at.")

  @OptionGroup var target: TargetOptions

  func run() throws { _ = try target.process().order("resume", timeout: target.duration) }
}

struct Undo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Takes an object back to the version before, whatever its file holds.",
    discussion: """
      The file's next change is an update again. Exit status: 0 done, 1 it waits for a thread of the program or for
      the last object of another layout, 2 error.
      """)

  @OptionGroup var target: TargetOptions
  @Argument(help: "The object, by name or path.")
  var object: String

  func run() throws {
    if try !target.process().order("undo", [object], timeout: target.duration) {
      show("\(object): the way back waits, as `luci status` tells\n")
      throw ExitCode(1)
    }
  }
}

struct Log: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Shows the last events of a process.")

  @OptionGroup var target: TargetOptions
  @Flag(help: "Print one JSON object per line.")
  var json = false

  func run() throws {
    let log = try target.process().decode(EventLog.self, "log", timeout: target.duration)
    show(json ? log.jsonLines : log.text)
  }
}

struct Detect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns the detection of old code on or off, as LD_DETECT_OUTDATED does at start.")

  enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

  @OptionGroup var target: TargetOptions
  @Argument var to: Switch

  func run() throws { _ = try target.process().order("detect", [to.rawValue], timeout: target.duration) }
}

struct Wait: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Waits until a process runs only fresh code.",
    discussion: """
      Detection is turned on where it is off. Exit status: 0 fresh, 1 not within the time, 2 error, also where the \
      process ends meanwhile.
      """)

  @OptionGroup var target: TargetOptions
  @Flag(help: "Wait until no old code can be seen (the only thing that can be waited for).")
  var fresh = false
  @Option(help: "Seconds; without it there is no limit.")
  var timeout: Double?

  func validate() throws {
    if !fresh { throw ValidationError("wait needs --fresh") }
    if let timeout, !(timeout >= 0 && timeout < 1e9) { throw ValidationError("--timeout is a number of seconds") }
  }

  func run() throws {
    let process = try target.process()
    let limit = timeout.map { ContinuousClock.now + .milliseconds(Int($0 * 1000)) }
    let status = try Freshness.wait(for: process, until: limit, patience: target.duration)
    if status.stale != .no {
      show(Rendering.process(status, as: .table))
      throw ExitCode(1)
    }
  }
}
