import Foundation
import Testing

@testable import InterpCore

/// Real programs of every usual layout: changed, run, judged by other tools, and brought back.
@Suite struct PlacementTests {
  struct Build: CustomTestStringConvertible, Sendable {
    let flags: String
    let placement: Placement
    /// eu-elflint and readelf judge it; `strip` keeps it a program.
    var survivesStrip = true
    var appended = false
    var testDescription: String { flags + (appended ? " + data" : "") }
  }

  static let builds = [
    Build(flags: "-pie -fPIE -fuse-ld=bfd", placement: .padding),
    Build(flags: "-no-pie -fuse-ld=bfd", placement: .padding),
    Build(flags: "-pie -fPIE -s -fuse-ld=bfd", placement: .padding),
    Build(flags: "-no-pie -s -g -fuse-ld=bfd", placement: .padding),
    Build(flags: "-no-pie -fuse-ld=bfd -Wl,-z,noseparate-code", placement: .padding),
    Build(flags: "-pie -fPIE -fuse-ld=bfd", placement: .padding, survivesStrip: false, appended: true),
    Build(flags: "-pie -fPIE -g -fuse-ld=lld", placement: .insertedPadding),
    Build(flags: "-no-pie -fuse-ld=lld", placement: .insertedPadding),
    Build(flags: "-no-pie -s -fuse-ld=lld", placement: .insertedPadding),
    Build(flags: "-pie -fPIE -fuse-ld=lld", placement: .appended, survivesStrip: false, appended: true),
    Build(flags: "-no-pie -fuse-ld=lld", placement: .appended, survivesStrip: false, appended: true),
    Build(flags: "-pie -fPIE -fuse-ld=lld -Wl,-z,separate-loadable-segments", placement: .padding),
    Build(flags: "-no-pie -g -fuse-ld=lld -Wl,-z,max-page-size=0x200000", placement: .insertedPadding),
    Build(flags: "-no-pie -Wl,-z,max-page-size=0x200000 -Wl,-z,noseparate-code", placement: .padding),
    Build(flags: "-pie -fPIE -g -fuse-ld=gold", placement: .padding),
    Build(flags: "-no-pie -fuse-ld=gold", placement: .padding),
    Build(flags: "-pie -fPIE -fuse-ld=mold", placement: .insertedPadding),
    Build(flags: "-no-pie -g -fuse-ld=mold", placement: .insertedPadding),
  ]

  @Test(arguments: builds) func longerPathAndBack(_ build: Build) throws {
    let workshop = try Workshop()
    guard let program = try workshop.compile(build.flags) else { return }
    if build.appended { try workshop.shell("printf 'some data %0999d' 5 >> \"$1\"", program) }
    let before = try workshop.read(program)
    let expected = try workshop.shell("exec \"$1\" a b", program)
    #expect(expected.output == "3 0 42 No such file or directory\n" && expected.status == 7)
    let complaints = try workshop.complaints(program)

    let loader = try workshop.loaderCopy()
    let change = try InterpreterEditor.set(before, to: loader.bytes)
    if !build.flags.contains("gold") { #expect(change.placement == build.placement) }
    let changed = try workshop.write(change.bytes, to: "changed")
    #expect(try workshop.shell("exec \"$1\" a b", changed) == expected)
    #expect(try workshop.complaints(changed).subtracting(complaints) == [])
    #expect(try workshop.shell("readelf -lW \"$1\"", changed).output.contains("interpreter: \(loader)]"))
    #expect(try workshop.shell("cat /proc/self/maps", changed).status == 0)
    #expect(try InterpreterEditor.original(of: change.bytes) == Workshop.loader.bytes)
    if change.placement == .padding { #expect(change.bytes.count == before.count) }
    if build.appended { #expect(Array(change.bytes.prefix(before.count)).suffix(900) == before.suffix(900)) }

    if build.survivesStrip {
      #expect(try workshop.shell("strip -o stripped changed && exec ./stripped a b") == expected)
      #expect(try workshop.interpreter(workshop.path("stripped")) == loader)
      let stripped = try workshop.read(workshop.path("stripped"))
      let restoration = try InterpreterEditor.restore(stripped)
      _ = try workshop.write(restoration.bytes, to: "stripped")
      #expect(try workshop.shell("exec ./stripped a b") == expected)
      #expect(try workshop.interpreter(workshop.path("stripped")) == Workshop.loader)
    }

    #expect(try InterpreterEditor.restore(change.bytes).bytes == before)
    #expect(try InterpreterEditor.set(change.bytes, to: Workshop.loader.bytes).bytes == before)
  }

  /// The changed program really is started by the named file.
  @Test(arguments: ["-pie -fPIE", "-no-pie -fuse-ld=lld"]) func namedLoaderIsMapped(_ flags: String) throws {
    let workshop = try Workshop()
    guard let program = try workshop.compile(flags) else { return }
    let loader = try workshop.loaderCopy()
    let change = try InterpreterEditor.set(try workshop.read(program), to: loader.bytes)
    let changed = try workshop.write(change.bytes, to: "changed")
    #expect(unlink(loader) == 0)
    #expect(try workshop.shell("exec \"$1\"", changed).status == 127)
    _ = try workshop.loaderCopy()
    #expect(try workshop.shell("exec \"$1\"", changed).status == 7)
  }

  @Test(arguments: ["/bin/true", "/usr/bin/perl", "/usr/bin/python3", "/bin/bash", "/usr/bin/env"])
  func systemPrograms(_ original: String) throws {
    let workshop = try Workshop()
    guard access(original, X_OK) == 0 else { return }
    let before = try workshop.read(try workshop.resolved(original))
    let reference = try workshop.write(before, to: "reference")
    let complaints = try workshop.complaints(reference)
    let expected = try workshop.shell("exec ./reference --version")
    for loader in [try workshop.loaderCopy(), "/lib/ld-linux-x86-64.so.2"] where access(loader, X_OK) == 0 {
      let change = try InterpreterEditor.set(before, to: loader.bytes)
      let changed = try workshop.write(change.bytes, to: "changed")
      #expect(try workshop.complaints(changed).subtracting(complaints) == [])
      _ = try workshop.write(change.bytes, to: "reference")
      #expect(try workshop.shell("exec ./reference --version") == expected)
      #expect(try InterpreterEditor.restore(change.bytes) == .init(bytes: before, isExact: true))
    }
  }
}
