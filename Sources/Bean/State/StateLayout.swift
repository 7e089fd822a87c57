/// The writable data of an object that outlives start-up: its state sections in order of address, and its
/// thread-local block.
public struct StateLayout {
  public typealias Area = RegionMap.Region

  /// Sorted by address.
  public let areas: [Area]
  public let threads: TLSSegment?
  /// From the first area's start to the last one's end; empty without areas.
  public let span: AddressRange

  public init(_ file: ObjectFile, _ regions: RegionMap) {
    areas = regions.regions.filter { $0.kind == .state }
    threads = file.segments.tls
    span = AddressRange(start: areas.first?.range.start ?? 0, end: areas.last?.range.end ?? 0)
  }

  public var isEmpty: Bool { areas.isEmpty && threads == nil }

  /// Index of the area that holds `address`, or whose end it is: code computes the address behind an array. An area
  /// that starts there comes first.
  public func areaTouching(_ address: UInt64) -> Int? {
    var behind: Int?
    for index in 0..<areas.count {
      if areas[index].range.contains(address) { return index }
      if areas[index].range.end == address { behind = index }
    }
    return behind
  }
}
