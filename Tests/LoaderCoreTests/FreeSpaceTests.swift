import Testing

@testable import LoaderCore

@Suite struct FreeSpaceTests {
  static func parse(_ text: StaticString) -> [FreeSpace.Occupied] { FreeSpace.parse(Bytes(text)) }

  static let maps = parse(
    """
    555555554000-555555556000 r--p 00000000 fe:00 12 /bin/x
    555555600000-555555700000 rw-p 00000000 00:00 0 [heap]
    7ffff0000000-7ffff0100000 rw-p 00000000 00:00 0
    7ffff7a00000-7ffff7c00000 r-xp 00000000 fe:00 13 /lib/liba.so
    7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]

    """)
  static let home = AddressRange(start: 0x7fff_f7a0_0000, end: 0x7fff_f7c0_0000)

  @Test func readsMaps() {
    #expect(Self.maps.count == 5)
    #expect(Self.maps[1].isHeap && !Self.maps[1].isStack)
    #expect(Self.maps[4].isStack)
    #expect(Self.maps[3].range == Self.home)
  }

  @Test func damagedLinesArePassedOver() {
    #expect(Self.parse("x\n-\n12-\n7f-10 r\nffffffffffffffff0-1 r\n10-20").map { $0.range.start } == [0x10])
  }

  @Test func takesTheNearestRoom() throws {
    let place = try #require(FreeSpace.nearest(to: Self.home, size: 0x10000, in: Self.maps))
    // Directly below or above the home, a page away from it.
    #expect(place + 0x10000 + 4096 == Self.home.start || place == Self.home.end + 4096)
  }

  @Test func leavesTheStackItsRoom() throws {
    let size: UInt64 = 0x700_0000
    let place = try #require(FreeSpace.nearest(to: Self.home, size: size, in: Self.maps))
    // There would be room between the home and the stack, but the stack may grow into it.
    #expect(place + size <= Self.home.start)
  }

  @Test func nothingWithinReach() {
    let full = Self.parse(
      "7fff00000000-7ffff7a00000 r\n7ffff7a00000-7ffff7c00000 r\n7ffff7c00000-7ffffffff000 rw [stack]\n")
    #expect(FreeSpace.nearest(to: Self.home, size: 0x10000, in: full) == nil)
  }

  /// Whatever is asked for: inside no occupied range, within reach, and room for a page on both sides.
  @Test(arguments: [0x1000, 0x10000, 0x100_0000, 0x4000_0000] as [UInt64])
  func neverOverlaps(size: UInt64) throws {
    guard let place = FreeSpace.nearest(to: Self.home, size: size, in: Self.maps) else { return }
    let range = AddressRange(start: place, count: size)
    #expect(!Self.maps.contains { $0.range.overlaps(range) })
    #expect(max(range.end, Self.home.end) - min(range.start, Self.home.start) <= FreeSpace.reach)
  }

  @Test func ownMapsAreRead() throws {
    let maps = try FreeSpace.read()
    #expect(maps.contains { $0.isStack })
    let starts = maps.map { $0.range.start }
    #expect(starts == starts.sorted())
  }
}
