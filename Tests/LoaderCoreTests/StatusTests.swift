import Foundation
import Testing

@testable import LoaderCore

@Suite struct StatusTests {
  let time = ClockTime(seconds: 1_795_228_993, nanoseconds: 541_158_999)

  func record(_ event: StatusEvent, path: String = "/path/libv.so", detail: String? = nil) -> StatusRecord {
    StatusRecord(
      event, object: Path("libv.so"), path: Path(path), cause: "layout-moved", detail: detail.map { Text($0) },
      time: time)
  }

  @Test func lineForm() {
    #expect(
      record(.updated).line(.text, process: 7688).string
        == "SUCCESS (updated to new version) for libv.so [/path/libv.so] in PID 7688 at 2026-11-21T02:43:13.541158Z\n"
    )
  }

  @Test func wordsAndReasons() {
    let lines = StatusEvent.allCases.map { event in
      String(decoding: Bytes(event.word).copy() + Array(": ".utf8) + Bytes(event.reason).copy(), as: UTF8.self)
    }
    #expect(
      lines == [
        "SUCCESS: loaded initial version", "SUCCESS: updated to new version",
        "IGNORED: new version has same modification time", "IGNORED: new version has same hash",
        "FAILED: dynamic updates are disabled", "FAILED: new version is incompatible",
        "FAILED: relocated data was altered", "FAILED: preload was unsuccessful",
        "FAILED: mapping of segments was unsuccessful", "FAILED: reusing outdated code",
        "ERROR: opening file failed", "ERROR: retrieving file status failed",
        "ERROR: mapping whole file into memory failed", "ERROR: not able to create object",
        "ERROR: unsupported format", "ERROR: not able to watch for file modifications",
      ])
    let codes = Set(StatusEvent.allCases.map { Bytes($0.code).copy() })
    #expect(codes.count == StatusEvent.allCases.count)
  }

  @Test func jsonIsValidForAnyName() throws {
    let line = record(.incompatible, path: "/a\"b\\c\n\u{1}é", detail: "x\ty").line(.json, process: 5)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.bytes)) as? [String: Any])
    #expect(object["path"] as? String == "/a\"b\\c\n\u{1}é")
    #expect(object["event"] as? String == "FAILED")
    #expect(object["reason"] as? String == "new version is incompatible")
    #expect(object["code"] as? String == "incompatible")
    #expect(object["cause"] as? String == "layout-moved")
    #expect(object["detail"] as? String == "x\ty")
    #expect(object["object"] as? String == "libv.so")
    #expect(object["pid"] as? Int == 5)
    #expect(object["time"] as? String == "2026-11-21T02:43:13.541158Z")
    #expect(line.bytes.filter { $0 == 10 }.count == 1)
  }

  @Test func bytesThatAreNotUTF8() throws {
    let bytes: [UInt8] = [
      0x61, 0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xe2, 0x82, 0xc3, 0xa9, 0xc3,
    ]
    var text = Text()
    bytes.withUnsafeBytes { text.append(jsonString: Bytes($0)) }
    let value = try JSONSerialization.jsonObject(with: Data(text.bytes), options: .fragmentsAllowed) as? String
    #expect(value == "a" + String(repeating: "\u{fffd}", count: 12) + "é\u{fffd}")
  }

  @Test func textLineCannotBeForged() {
    let line = record(.updated, path: "/a\nSUCCESS (x)").line(.text, process: 1)
    #expect(line.bytes.filter { $0 == 10 }.count == 1)
  }

  @Test func longLinesStayWhole() throws {
    let path = "/" + String(repeating: "\u{1}", count: 4_000)
    for format in [StatusFormat.text, .json] {
      let line = record(.updated, path: path, detail: String(repeating: "d", count: 9_000)).line(format, process: 1)
      #expect(line.bytes.count <= 4_096 && line.bytes.last == 10)
    }
  }

  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000000Z"), (951_782_399, "2000-02-28T23:59:59.000000Z"),
    (951_868_799, "2000-02-29T23:59:59.000000Z"), (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
    (1_735_689_599, "2024-12-31T23:59:59.000000Z"), (-1, "1969-12-31T23:59:59.000000Z"),
  ]) func timestamps(seconds: Int, expected: String) {
    var text = Text()
    text.append(timestamp: ClockTime(seconds: Int64(seconds), nanoseconds: 0))
    #expect(text.string == expected)
  }

  /// Every day of 400 years against the C library.
  @Test func datesAgreeWithTheCLibrary() {
    for day in stride(from: 0, to: 146_097, by: 1) {
      var time = time_t(day * 86_400)
      var parts = tm()
      gmtime_r(&time, &parts)
      let date = CivilDate(daysSince1970: Int64(day))
      guard date.year == Int64(parts.tm_year) + 1900, date.month == Int64(parts.tm_mon) + 1,
        date.day == Int64(parts.tm_mday)
      else {
        Issue.record("day \(day)")
        return
      }
    }
  }
}
