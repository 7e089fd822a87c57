import Foundation

/// A line of LD_STATUS_INFO, in the form that existing scripts read:
/// `SUCCESS (updated to new version) for libv.so [/path/libv.so] in PID 7688 at 2026-11-21T02:43:13.541158Z`.
struct StatusLine: Equatable {
  let text: String
  var word = ""
  var reason = ""
  var name = ""
  var path = ""
  var pid = 0
  var time = ""

  /// A line of another form keeps its text and has no word.
  init(_ text: Substring) {
    self.text = String(text)
    let form =
      #/(?<word>[A-Z]+) \((?<reason>[^()]*)\) for (?<name>\S+) \[(?<path>.*)\] in PID (?<pid>\d+) at (?<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)/#
    guard let match = text.wholeMatch(of: form) else { return }
    word = String(match.word)
    reason = String(match.reason)
    name = String(match.name)
    path = String(match.path)
    pid = Int(match.pid) ?? 0
    time = String(match.time)
  }

  var isUpdate: Bool { word == "SUCCESS" && reason == "updated to new version" }
  var isLoad: Bool { word == "SUCCESS" && reason == "loaded initial version" }
  /// The words that tell why a new file was not taken.
  var isRefusal: Bool { word == "FAILED" || word == "ERROR" }
}

extension Seen {
  func updates(of name: String) -> Int { status.count { $0.isUpdate && $0.name == name } }
  func refusals(of name: String) -> [StatusLine] { status.filter { $0.isRefusal && $0.name == name } }
}
