/// How a newer version's references to state lead to that state's home (DESIGN, "State has one home").
public struct StateBinding {
  /// A run of state of the new version and how far its home is away, both in memory addresses.
  public struct Run {
    public let range: AddressRange
    /// 0: its home is here.
    public let displacement: UInt64
    /// Code may compute the address behind it.
    public let hasTakenEnd: Bool

    public init(range: AddressRange, displacement: UInt64, hasTakenEnd: Bool = true) {
      self.range = range
      self.displacement = displacement
      self.hasTakenEnd = hasTakenEnd
    }
  }

  /// Ascending, without overlap. The end address of a run counts to it where no other starts, since pointers one past
  /// an array have it.
  public let runs: [Run]

  public init(runs: [Run]) { self.runs = runs }

  /// Index of the first run that ends behind `address`.
  private func firstIndex(endingBehind address: UInt64) -> Int {
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].range.end <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func run(for address: UInt64) -> Run? {
    let index = firstIndex(endingBehind: address)
    if index < runs.count, runs[index].range.contains(address) { return runs[index] }
    return index > 0 && runs[index - 1].range.end == address ? runs[index - 1] : nil
  }

  /// Where the variable at `address` of this version lives; the same address for all that is no state.
  public func home(of address: UInt64) -> UInt64 { address &+ (run(for: address)?.displacement ?? 0) }

  /// The same for addresses that code computes from a variable, which may lie a little outside of all state.
  public func home(derived address: UInt64) -> UInt64 {
    if let run = run(for: address) { return address &+ run.displacement }
    let index = firstIndex(endingBehind: address)
    if index < runs.count, address &+ 64 >= runs[index].range.start { return address &+ runs[index].displacement }
    if index > 0, address <= runs[index - 1].range.end &+ 64 { return address &+ runs[index - 1].displacement }
    return address
  }

  /// Might `address` be the end of one run as well as the start of another, with homes that are not next to each
  /// other?
  public func isBorder(_ address: UInt64) -> Bool {
    let index = firstIndex(endingBehind: address)
    return index > 0 && index < runs.count && runs[index].range.start == address
      && runs[index - 1].range.end == address && runs[index - 1].hasTakenEnd
      && runs[index - 1].displacement != runs[index].displacement
  }

  /// Runs for `range`, whose counterpart in this version starts at `start`: they follow this version's homes.
  func runs(for range: AddressRange, from start: UInt64, hasTakenEnd: Bool) -> [Run] {
    var found: [Run] = []
    var position: UInt64 = 0
    while position < range.count {
      let address = start &+ position
      let index = firstIndex(endingBehind: address)
      var count = range.count &- position
      var displacement: UInt64 = 0
      var isLastTaken = hasTakenEnd
      if index < runs.count, runs[index].range.contains(address) {
        displacement = runs[index].displacement
        let rest = runs[index].range.end &- address
        if rest < count { (count, isLastTaken) = (rest, runs[index].hasTakenEnd) }
      } else if index < runs.count {
        count = min(count, runs[index].range.start &- address)
      }
      let place = range.start &+ position
      found.append(
        Run(
          range: AddressRange(start: place, count: count), displacement: address &+ displacement &- place,
          hasTakenEnd: isLastTaken))
      position &+= count
    }
    return found
  }

  /// Are the homes the same as in `other`, a binding of parts of the same version?
  func agrees(with other: StateBinding) -> Bool {
    for run in other.runs {
      for part in runs(for: run.range, from: run.range.start, hasTakenEnd: true)
      where part.displacement != run.displacement {
        return false
      }
    }
    return true
  }
}
