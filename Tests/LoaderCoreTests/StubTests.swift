import Testing

@testable import LoaderCore

/// Stubs are machine code written by Luci: they are run here.
@Suite struct StubTests {
  typealias Function = @convention(c) () -> UInt64

  static let one: Function = { 1 }
  static let two: Function = { 2 }
  /// Stands in for the gate: leaves with a value of its own, the pushed index still on the stack.
  static func address(_ function: Function) -> UInt64 {
    UInt64(UInt(bitPattern: unsafeBitCast(function, to: UnsafeRawPointer.self)))
  }

  @Test func gateStubsLeadWhereWasDecided() throws {
    let stubs = GateStubs()
    var indices: [UInt64] = []
    // More than one page of them.
    for _ in 0..<GateStubs.stubsPerPage + 3 {
      indices.append(try #require(stubs.make(for: Self.address(Self.one), gate: Self.address(Self.two))))
    }
    #expect(indices == (0..<UInt64(indices.count)).map { $0 })
    for index in [indices[0], indices[127], indices[128], indices[130]] {
      // Undecided: calls through the gate go on with the original.
      #expect(stubs.decision(index) == Self.address(Self.one))
      stubs.decide(index, Self.address(Self.two))
      #expect(stubs.decision(index) == Self.address(Self.two))
      #expect(ForeignCall.word(stubs.entry(index)) == 2)
    }
    #expect(Set(indices.map { stubs.entry($0) }).count == indices.count)
  }

  /// An undecided stub pushes its index and goes to the gate: ret there would take the index for an address, so the
  /// gate of this test pops it into the result.
  @Test func gateStubPushesItsIndex() throws {
    let page = try Mapping.anonymous(4096, .readWrite)
    // pop %rax; ret
    ProcessMemory.store(UInt16(0xc358), at: page)
    try Mapping.protect(page, 4096, [.read, .execute])
    let stubs = GateStubs()
    for expected in 0..<UInt64(130) {
      let index = try #require(stubs.make(for: Self.address(Self.one), gate: page))
      #expect(index == expected)
      #expect(ForeignCall.word(stubs.entry(index)) == expected)
    }
  }
}
