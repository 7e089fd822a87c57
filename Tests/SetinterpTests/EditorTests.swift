import ELF
import Foundation
import Testing

@testable import InterpCore

/// The pure part: bytes in, bytes out.
@Suite struct EditorTests {
  private func program(_ flags: String = "-pie -fPIE") throws -> [UInt8]? {
    let workshop = try Workshop()
    guard let path = try workshop.compile(flags) else { return nil }
    return try workshop.read(path)
  }

  @Test(arguments: ["-pie -fPIE", "-no-pie -s", "-fuse-ld=lld", "-fuse-ld=mold"])
  func shortPathChangesOnlyTheOldPath(_ flags: String) throws {
    guard let before = try program(flags) else { return }
    let change = try InterpreterEditor.set(before, to: "/lib64/ld-luci.so".bytes)
    #expect(change.placement == .inPlace)
    #expect(change.bytes.count == before.count)
    let area = try Program(before).interpreter
    let range = Int(area.p_offset)..<Int(area.p_offset + area.p_filesz)
    for index in before.indices where !range.contains(index) {
      if before[index] != change.bytes[index] { Issue.record("differs at \(index)") }
    }
    #expect(try InterpreterEditor.interpreter(of: change.bytes) == "/lib64/ld-luci.so".bytes)
    #expect(try InterpreterEditor.original(of: change.bytes) == Workshop.loader.bytes)
    #expect(try InterpreterEditor.restore(change.bytes) == .init(bytes: before, isExact: true))
  }

  /// 21 bytes is the longest path beside which the short record fits.
  @Test func everyLengthWorks() throws {
    guard let before = try program(), let lld = try program("-fuse-ld=lld -no-pie") else { return }
    for length in [1, 2, 20, 21, 22, 26, 27, 28, 29, 100, 1000] {
      for base in [before, lld] {
        let path = [UInt8](repeating: UInt8(ascii: "x"), count: length)
        let change = try InterpreterEditor.set(base, to: path)
        #expect((change.placement == .inPlace) == (length <= 21))
        #expect(try InterpreterEditor.interpreter(of: change.bytes) == path)
        #expect(try InterpreterEditor.original(of: change.bytes) == Workshop.loader.bytes)
        #expect(try InterpreterEditor.restore(change.bytes).bytes == base)
      }
    }
  }

  @Test func repeatedChangesKeepTheFirstOriginal() throws {
    guard let before = try program("-fuse-ld=lld -pie -fPIE") else { return }
    var bytes = before
    let paths = [
      "/short", "/a/path/that/is/longer/than/what/was/there", "/x", String(repeating: "/long", count: 200),
    ]
    for path in paths + paths.reversed() {
      let direct = try InterpreterEditor.set(before, to: path.bytes)
      bytes = try InterpreterEditor.set(bytes, to: path.bytes).bytes
      #expect(bytes == direct.bytes)
      #expect(try InterpreterEditor.original(of: bytes) == Workshop.loader.bytes)
    }
    #expect(try InterpreterEditor.set(bytes, to: paths[0].bytes).placement == .unchanged)
    #expect(try InterpreterEditor.restore(bytes).bytes == before)
    #expect(try InterpreterEditor.set(bytes, to: Workshop.loader.bytes).bytes == before)
  }

  /// Without a code for the original there is no short record.
  @Test func unknownOriginal() throws {
    guard let before = try program("-Wl,--dynamic-linker=/opt/own/loader-of-somebody.so") else { return }
    let change = try InterpreterEditor.set(before, to: "/l".bytes)
    #expect(change.placement == .padding)
    #expect(try InterpreterEditor.original(of: change.bytes) == "/opt/own/loader-of-somebody.so".bytes)
    #expect(try InterpreterEditor.restore(change.bytes).bytes == before)
  }

  /// An old path of more than a hundred bytes leaves room for the long record in place.
  @Test func longRecordInPlace() throws {
    let old = "/lib64/ld-linux-x86-64.so.2" + String(repeating: "\0", count: 200)
    guard let plain = try program("-Wl,--dynamic-linker=/\(String(repeating: "x", count: old.utf8.count - 2))") else {
      return
    }
    var before = EditableBytes(plain)
    before.store("/own/loader".bytes.padded(to: old.utf8.count), at: try Program(plain).interpreter.p_offset)
    let change = try InterpreterEditor.set(before.bytes, to: "/another/loader".bytes)
    #expect(change.placement == .inPlace)
    #expect(try InterpreterEditor.original(of: change.bytes) == "/own/loader".bytes)
    #expect(try InterpreterEditor.restore(change.bytes) == .init(bytes: before.bytes, isExact: true))
  }

  /// Something else changed the file after us: the path comes back, the rest stays.
  @Test func foreignChangeIsKept() throws {
    guard let before = try program() else { return }
    var bytes = try InterpreterEditor.set(before, to: "/a/path/that/is/longer/than/what/was/there".bytes).bytes
    bytes += "appended".bytes
    let restoration = try InterpreterEditor.restore(bytes)
    #expect(!restoration.isExact)
    #expect(restoration.bytes.suffix(8) == "appended".bytes[...])
    #expect(try InterpreterEditor.interpreter(of: restoration.bytes) == Workshop.loader.bytes)
    #expect(throws: InterpreterError.nothingRemembered) { try InterpreterEditor.restore(restoration.bytes) }
    let again = try InterpreterEditor.set(bytes, to: "/yet/another/path/that/is/longer/than/the/first".bytes)
    #expect(try InterpreterEditor.original(of: again.bytes) == Workshop.loader.bytes)
    #expect(again.bytes.suffix(8) == "appended".bytes[...])
  }

  @Test func errors() throws {
    guard let before = try program(), let fixed = try program("-static"), let sharedPIE = try program("-static-pie")
    else { return }
    let path = "/lib64/ld-luci.so".bytes
    #expect(throws: InterpreterError.staticallyLinked) { try InterpreterEditor.set(fixed, to: path) }
    #expect(throws: InterpreterError.noInterpreter) { try InterpreterEditor.set(sharedPIE, to: path) }
    #expect(throws: InterpreterError.emptyPath) { try InterpreterEditor.set(before, to: []) }
    #expect(throws: InterpreterError.nulInPath) { try InterpreterEditor.set(before, to: [47, 0, 47]) }
    #expect(throws: InterpreterError.nothingRemembered) { try InterpreterEditor.restore(before) }
    #expect(throws: InterpreterError.self) {
      try InterpreterEditor.set(before, to: [UInt8](repeating: 47, count: 4096))
    }
    let cases: [(ELFError.Reason, [UInt8])] = [
      (.truncatedHeader, []), (.truncatedHeader, Array(before.prefix(40))),
      (.notELF, "#!/bin/sh\n".bytes.padded(to: 99)),
      (.segmentOutsideFile, Array(before.prefix(5000))), (.programHeadersOutside, Array(before.prefix(100))),
      (.not64Bit, before.with(1, at: 4)), (.notLittleEndian, before.with(2, at: 5)),
      (.wrongMachine, before.with(183, at: 18)), (.unsupportedType, before.with(1, at: 16)),
    ]
    for (reason, bytes) in cases {
      do {
        _ = try InterpreterEditor.set(bytes, to: path)
        Issue.record("accepted: \(reason)")
      } catch .elf(let error) {
        #expect(error.reason == reason)
      }
    }
  }

  /// The limit that the message names is the one that holds.
  @Test func longestPath() throws {
    guard let before = try program("-fuse-ld=lld") else { return }
    do {
      _ = try InterpreterEditor.set(before, to: [UInt8](repeating: 47, count: 5000))
      Issue.record("accepted")
    } catch .pathTooLong(let limit) {
      let change = try InterpreterEditor.set(before, to: [UInt8](repeating: 47, count: limit))
      #expect(try InterpreterEditor.restore(change.bytes).bytes == before)
      #expect(throws: InterpreterError.pathTooLong(limit: limit)) {
        try InterpreterEditor.set(before, to: [UInt8](repeating: 47, count: limit + 1))
      }
    } catch {
      Issue.record("\(error)")
    }
  }

  /// What the loader uses sees the same.
  @Test func readerForTheLoader() throws {
    guard let before = try program() else { return }
    for path in ["/short", "/a/path/that/is/longer/than/what/was/there"] {
      let bytes = try InterpreterEditor.set(before, to: path.bytes).bytes
      let found = try bytes.withUnsafeBytes { buffer -> [[UInt8]?] in
        let file = try ObjectFile(Bytes(buffer))
        return [file.interpreter?.copy(), originalInterpreter(of: file)?.copy()]
      }
      #expect(found == [path.bytes, Workshop.loader.bytes])
    }
    let none = try before.withUnsafeBytes { originalInterpreter(of: try ObjectFile(Bytes($0)))?.copy() }
    #expect(none == nil)
  }
}

extension [UInt8] {
  func with(_ byte: UInt8, at index: Int) -> [UInt8] {
    var copy = self
    copy[index] = byte
    return copy
  }
}
