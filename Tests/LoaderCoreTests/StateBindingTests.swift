import Testing

@testable import LoaderCore

/// Homes of a newer version's variables, run by run.
@Suite struct StateBindingTests {
  typealias Run = StateBinding.Run

  /// 0x100: 0x1000 further on; 0x110: here; 0x120: 0x2000 further on.
  static var binding: StateBinding {
    StateBinding(runs: [
      Run(range: AddressRange(start: 0x100, count: 16), displacement: 0x1000),
      Run(range: AddressRange(start: 0x110, count: 16), displacement: 0),
      Run(range: AddressRange(start: 0x120, count: 16), displacement: 0x2000, hasTakenEnd: false),
      Run(range: AddressRange(start: 0x130, count: 16), displacement: 0x3000),
    ])
  }

  @Test func whatStartsAtABorderCounts() {
    #expect(Self.binding.home(of: 0x10f) == 0x110f)
    #expect(Self.binding.home(of: 0x110) == 0x110)
    #expect(Self.binding.home(of: 0x120) == 0x2120)
    #expect(Self.binding.home(of: 0x140) == 0x3140, "the end of the last one")
    #expect(Self.binding.home(of: 0x141) == 0x141)
    #expect(Self.binding.home(derived: 0x148) == 0x3148)
    #expect(Self.binding.home(derived: 0xf0) == 0x10f0)
  }

  @Test func bordersOfWhatLivesApartAreKnown() {
    #expect(Self.binding.isBorder(0x110))
    #expect(Self.binding.isBorder(0x120))
    #expect(!Self.binding.isBorder(0x130), "nobody takes the address of what ends there")
    #expect(!Self.binding.isBorder(0x118))
    #expect(!Self.binding.isBorder(0x140))
  }

  /// A third version's section is one piece for the second, but its variables live in three places.
  @Test func laterVersionsFollowEachRun() {
    let runs = Self.binding.runs(for: AddressRange(start: 0x8000, count: 0x48), from: 0x100, hasTakenEnd: false)
    #expect(runs.map { $0.range.count } == [16, 16, 16, 16, 8])
    let later = StateBinding(runs: runs)
    for offset: UInt64 in [0, 15, 16, 31, 32, 47, 48, 63] {
      #expect(later.home(of: 0x8000 + offset) == Self.binding.home(of: 0x100 + offset))
    }
    // Behind all runs of the second version, its own place counts.
    #expect(later.home(of: 0x8044) == 0x144)
    #expect(runs.map { $0.hasTakenEnd } == [true, true, false, true, false])
  }

  @Test func agreementIsAboutEachHome() {
    #expect(Self.binding.agrees(with: Self.binding))
    let part = StateBinding(runs: [Run(range: AddressRange(start: 0x104, count: 4), displacement: 0x1000)])
    #expect(Self.binding.agrees(with: part))
    let other = StateBinding(runs: [Run(range: AddressRange(start: 0x108, count: 16), displacement: 0x1000)])
    #expect(!Self.binding.agrees(with: other))
    let here = StateBinding(runs: [Run(range: AddressRange(start: 0x100, count: 4), displacement: 0)])
    #expect(!Self.binding.agrees(with: here))
  }
}
