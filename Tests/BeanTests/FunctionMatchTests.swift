import Foundation
import Testing

@testable import Bean

/// Which version is the new one makes no difference to which functions are each other's.
@Suite struct FunctionMatchTests {
  static func expectMirrored(_ a: Bytes, _ b: Bytes) throws {
    let (old, new) = (try Binary(a), try Binary(b))
    let (there, back) = (FunctionMatcher(old, new).match, FunctionMatcher(new, old).match)
    #expect(there.newOfOld == back.oldOfNew)
    #expect(there.oldOfNew == back.newOfOld)
    for index in there.oldOfNew.indices where there.oldOfNew[index] >= 0 {
      #expect(there.isEqual[index] == back.isEqual[Int(there.oldOfNew[index])])
    }
  }

  /// Functions with the same code that call each other, in other orders and numbers.
  @Test func functionsThatAreAlike() throws {
    var random = TestRandom(7)
    func source() -> String {
      var text = "int out(int);"
      var names = (0..<24).map { "f\($0)" }
      for name in names { text += "static int \(name)(int);" }
      for index in names.indices { names.swapAt(index, random.below(names.count)) }
      for name in names.prefix(16 + random.below(8)) {
        let callee = "f\(random.below(24))"
        text +=
          "__attribute__((noinline)) static int \(name)(int x) { return x > 9 ? out(x) : \(callee)(x + 1) * 3; }"
        if random.below(3) == 0 { text += "int e_\(name)(int x) { return \(name)(x) - \(random.below(2)); }" }
      }
      // The rest, so that all are there.
      for name in names where !text.contains("static int \(name)(int x)") {
        text += "__attribute__((noinline)) static int \(name)(int x) { return out(x + \(random.below(3))); }"
      }
      return text
    }
    for _ in 0..<12 {
      let options = ["-O1", "-s", "-fno-ipa-icf", "-fno-ipa-cp", "-fno-ipa-sra", "-fno-toplevel-reorder"]
      let pair = try CompiledPair(source(), source(), options: options)
      try Self.expectMirrored(pair.old, pair.new)
    }
  }

  @Test(
    .enabled(
      if: ProcessInfo.processInfo.environment["LUCI_SUBJECTS"] != nil,
      "LUCI_SUBJECTS names no directory: tools/subjects"
    ),
    arguments: [
      ("libexpat1", "2.5.0-1+deb12u2", "2.5.0-1+deb12u5", "libexpat.so.1.8.10"),
      ("libudev1", "252.38-1~deb12u1", "252.39-1~deb12u2", "libudev.so.1.7.5"),
      ("libssl3", "3.0.17-1~deb12u2", "3.0.22-1~deb12u2", "libcrypto.so.3"),
    ])
  func realVersions(_ package: String, _ before: String, _ after: String, _ name: String) throws {
    try Self.expectMirrored(
      try SubjectTests.library(package, before, name), try SubjectTests.library(package, after, name))
  }
}
