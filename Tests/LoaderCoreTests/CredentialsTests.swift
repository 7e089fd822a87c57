import Foundation
import Testing

@testable import LoaderCore

@Suite struct CredentialsTests {
  static let text = """
    Name:\tUid:\\n0
    Uid:\t1000\t1001\t1002\t1003
    Gid:\t10\t11\t12\t13
    Groups:\t4 24 1000 
    CapInh:\t0000000000000000
    CapPrm:\t000001ffffffffff
    CapEff:\t0000000000000400

    """

  func parse(_ text: String) -> Credentials? {
    Array(text.utf8).withUnsafeBytes { Credentials(status: Bytes($0)) }
  }

  @Test func statusFile() throws {
    let parsed = try #require(parse(CredentialsTests.text))
    #expect(parsed.users == [1_000, 1_001, 1_002, 1_003])
    #expect(parsed.groups == [10, 11, 12, 13])
    #expect(parsed.supplementary == [4, 24, 1_000])
    #expect(parsed.permitted == 0x1ff_ffff_ffff && parsed.effective == 0x400 && parsed.inheritable == 0)
  }

  @Test(arguments: [
    ("1000\t1001\t", "1000\t"), ("Groups:", "Group:"), ("1003", "10o3"), ("1003", "4294967296"), ("24", "-24"),
    ("000001ff", "00000001ff"), ("0400", "04g0"), ("1003", "99999999999999999999999999"),
  ]) func malformed(old: String, new: String) {
    #expect(parse(CredentialsTests.text.replacingOccurrences(of: old, with: new)) == nil)
  }

  @Test func ownStatusIsRead() throws {
    let own = try Credentials.read("/proc/self/status")
    #expect(own.users[1] == Credentials.effectiveUser)
    #expect(own.groups[1] == Credentials.effectiveGroup)
    try Credentials.followProgram()
  }

  /// Ids are the kernel thread's own when changed by system call, so that a thread of the test may give them up.
  @Test(.enabled(if: Credentials.effectiveUser == 0)) func threadFollows() async throws {
    let result: (Errno?, Credentials?, Errno?) = await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var target = Credentials()
        target.users = [1_000, 1_000, 1_000, 1_000]
        target.groups = [100, 100, 100, 100]
        target.supplementary = [100, 200]
        var failure: Errno?
        do throws(Errno) { try target.adopt() } catch { failure = error }
        let own = try? Credentials.read("/proc/thread-self/status")
        // There is no way back.
        var back: Errno?
        do throws(Errno) { try Credentials.followProgram() } catch { back = error }
        continuation.resume(returning: (failure, own, back))
      }
    }
    #expect(result.0 == nil)
    let own = try #require(result.1)
    #expect(own.users == [1_000, 1_000, 1_000, 1_000] && own.groups == [100, 100, 100, 100])
    #expect(own.supplementary == [100, 200])
    #expect(own.permitted == 0 && own.effective == 0)
    #expect(result.2 == .notPermitted)
    #expect(Credentials.effectiveUser == 0)
  }

  @Test(.enabled(if: Credentials.effectiveUser == 0)) func capabilitiesAreGivenUp() async throws {
    let own: Credentials? = await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var target = try? Credentials.read("/proc/thread-self/status")
        target?.effective &= 0xff
        target?.permitted &= 0xff
        try? target?.adopt()
        continuation.resume(returning: try? Credentials.read("/proc/thread-self/status"))
      }
    }
    #expect(own?.effective == 0xff && own?.permitted == 0xff && own?.users == [0, 0, 0, 0])
  }
}
