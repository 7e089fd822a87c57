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
    for slot in 0..<GateStubs.stubsPerPage + 3 {
      indices.append(try #require(stubs.open(slot, Self.address(Self.one), gate: Self.address(Self.two))))
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

  /// A word that holds a stub's address leads to what the stub leads to; anything else to itself.
  @Test func targets() throws {
    let stubs = GateStubs()
    let (one, two) = (Self.address(Self.one), Self.address(Self.two))
    #expect(stubs.target(of: one) == one)
    for slot in 0..<UInt64(200) { _ = try #require(stubs.open(slot, one, gate: two)) }
    let entry = stubs.entry(150)
    #expect(stubs.target(of: entry) == one)
    stubs.decide(150, two)
    #expect(stubs.target(of: entry) == two)
    #expect(stubs.target(of: entry + 6) == entry + 6)
    #expect(stubs.target(of: stubs.entry(199) + GateStubs.stubSize) == stubs.entry(199) + GateStubs.stubSize)
    #expect(stubs.target(of: 0) == 0)
  }

  /// A slot has the same stub again as long as that leads to where the slot does: somebody may have its address.
  @Test func sameSlotAgain() throws {
    let stubs = GateStubs()
    let (one, two) = (Self.address(Self.one), Self.address(Self.two))
    let first = try #require(stubs.open(8, one, gate: one))
    stubs.decide(first, two)
    #expect(stubs.open(8, two, gate: one) == first)
    #expect(stubs.decision(first) == two)
    stubs.decide(first, one)
    let other = try #require(stubs.open(8, two, gate: one))
    #expect(other != first)
    #expect(stubs.decision(first) == one && stubs.decision(other) == two)
    #expect(stubs.open(8, two, gate: one) == other)
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
      let index = try #require(stubs.open(expected * 8, Self.address(Self.one), gate: page))
      #expect(index == expected)
      #expect(ForeignCall.word(stubs.entry(index)) == expected)
    }
  }
}
