import Testing

@testable import LoaderCore

@Suite struct VettingTests {
  func file(_ mode: UInt16, owner: UInt32 = 0, group: UInt32 = 0) -> FileStatus {
    FileStatus(mode: mode, owner: owner, group: group)
  }
  let root = FileVetting(user: 0, group: 0, isTrusting: false)
  let user = FileVetting(user: 1_000, group: 1_000, isTrusting: false)
  let trusting = FileVetting(user: 0, group: 0, isTrusting: true)

  @Test func owners() {
    #expect(root.refusal(file: file(0o755)) == nil)
    #expect(root.refusal(file: file(0o755, owner: 5)) == .foreignOwner(5))
    #expect(user.refusal(file: file(0o755)) == nil)
    #expect(user.refusal(file: file(0o755, owner: 1_000)) == nil)
    #expect(user.refusal(file: file(0o755, owner: 1_001)) == .foreignOwner(1_001))
  }

  @Test func modes() {
    #expect(user.refusal(file: file(0o757, owner: 1_000)) == .worldWritable)
    #expect(user.refusal(file: file(0o775, owner: 1_000, group: 1_000)) == nil)
    #expect(root.refusal(file: file(0o775, group: 50)) == .groupWritable(50))
    #expect(root.refusal(file: file(0o775)) == nil)
    #expect(FileVetting(user: 0, group: 50, isTrusting: false).refusal(file: file(0o775, group: 50)) == nil)
  }

  @Test func directories() {
    #expect(root.refusal(directory: file(0o777)) == .directoryWorldWritable)
    #expect(root.refusal(directory: file(0o1777)) == nil)
    #expect(root.refusal(directory: file(0o775, group: 50)) == .directoryGroupWritable(50))
    #expect(user.refusal(directory: file(0o775, owner: 1_000, group: 50)) == nil)
  }

  @Test func trust() {
    #expect(trusting.refusal(file: file(0o777, owner: 5, group: 5)) == nil)
    #expect(trusting.refusal(directory: file(0o777, owner: 5)) == nil)
  }

  /// The directories of all links count, too.
  @Test func pathOnDisk() throws {
    let directory = TemporaryDirectory()
    directory.makeDirectory("open")
    directory.makeDirectory("closed")
    directory.write("closed/lib.so", "1")
    directory.link("open/lib.so", to: "../closed/lib.so")
    let vetting = FileVetting(settings())
    let status = try FileDescriptor.status(of: directory.path("closed/lib.so"))
    #expect(vetting.refusal(path: directory.path("open/lib.so"), file: status) == nil)
    directory.changeMode("open", 0o777)
    #expect(vetting.refusal(path: directory.path("open/lib.so"), file: status) == .directoryWorldWritable)
    #expect(vetting.refusal(path: directory.path("closed/lib.so"), file: status) == nil)
  }

  @Test(arguments: [
    ("/lib/x86_64-linux-gnu/libz.so.1", true), ("/usr/lib/x/../y.so", false), ("/usr/library/x.so", false),
    ("/usr/local/lib/x.so", true), ("/opt/x/lib.so", false), ("/lib64/a..so", true), ("/usr/lib/..", false),
    ("lib/x.so", false), ("", false),
  ]) func systemDirectories(path: String, isSystem: Bool) {
    #expect(SystemDirectories.contain(Path(path)) == isSystem)
  }
}
