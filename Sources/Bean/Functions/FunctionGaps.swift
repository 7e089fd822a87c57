/// What lies between the functions that tables know: padding, code of their kind that no table names (crtstuff.c,
/// assembly), or bytes that are no code.
struct FunctionGaps {
  let image: Image
  let known: [Function]
  /// Addresses at which the file says that code begins, ascending.
  private let named: [UInt64]
  /// These, and where branches from known functions lead. Ascending.
  private var starts: [UInt64]
  /// How many of the known functions lie below the region that is looked at.
  private var next = 0

  private(set) var functions: [Function] = []
  private(set) var padding: [AddressRange] = []
  private(set) var undecoded: [AddressRange] = []

  init(_ image: Image, known: [Function], starts: [UInt64], branchTargets: [UInt64]) {
    self.image = image
    self.known = known
    named = starts
    self.starts = starts
    if branchTargets.isEmpty { return }
    self.starts += branchTargets
    self.starts.sort()
  }

  /// Direct branches out of known functions to where none is known.
  static func branchTargets(_ image: Image, _ known: [Function]) -> [UInt64] {
    var found: [UInt64] = []
    for function in known where function.source != .plt {
      guard let code = image.bytes(at: function.range.start, count: function.range.count) else { continue }
      var offset = 0
      while let instruction = InstructionDecoder.decode(code, at: offset) {
        let target = instruction.target(in: code, at: offset, base: function.range.start)
        offset = offset &+ Int(instruction.length)
        guard let target, !function.range.contains(target), target != found.last,
          FunctionMap.index(in: known, containing: target) == nil
        else { continue }
        found.append(target)
      }
    }
    return found
  }

  /// Looks at all gaps of `region`. Regions come in ascending order.
  mutating func scan(_ region: AddressRange) {
    var position = region.start
    while next < known.count, known[next].range.start < region.end {
      scanGap(from: position, to: known[next].range.start)
      position = max(position, known[next].range.end)
      next &+= 1
    }
    scanGap(from: position, to: region.end)
  }

  private mutating func scanGap(from start: UInt64, to end: UInt64) {
    guard start < end, let code = image.bytes(at: start, count: end &- start) else { return }
    // Each part between known starts is judged for itself.
    var first = 0
    var index = lowerBound(starts, start &+ 1)
    while first < code.count {
      var last = code.count
      if index < starts.count, starts[index] < end {
        last = Int(starts[index] &- start)
        index &+= 1
      }
      if last <= first { continue }
      scanPart(code, first, last, base: start)
      first = last
    }
  }

  private mutating func scanPart(_ code: Bytes, _ first: Int, _ last: Int, base: UInt64) {
    guard let part = code.slice(at: UInt64(first), count: UInt64(last &- first)) else { return }
    let address = base &+ UInt64(first)
    let pad = GapPart.paddingLength(part, from: 0)
    append(&padding, address, 0, pad)
    if pad == part.count { return }
    var blocks = GapPart(part, base: address)
    guard blocks.decode(from: pad) else {
      append(&undecoded, address, pad, part.count)
      return
    }
    for block in blocks.functions() {
      let isNamed = contains(named, address &+ UInt64(block.start))
      functions.append(
        Function(
          range: AddressRange(start: address &+ UInt64(block.start), end: address &+ UInt64(block.end)),
          source: isNamed ? .initFini : .gap))
    }
    for run in blocks.padding { append(&padding, address, run.start, run.end) }
  }

  private func append(_ list: inout [AddressRange], _ base: UInt64, _ start: Int, _ end: Int) {
    if start < end { list.append(AddressRange(start: base &+ UInt64(start), end: base &+ UInt64(end))) }
  }

  /// Index of the first element that is at least `value`.
  private func lowerBound(_ list: [UInt64], _ value: UInt64) -> Int {
    var low = 0
    var high = list.count
    while low < high {
      let middle = low &+ (high &- low) / 2
      if list[middle] < value { low = middle &+ 1 } else { high = middle }
    }
    return low
  }

  private func contains(_ list: [UInt64], _ value: UInt64) -> Bool {
    let index = lowerBound(list, value)
    return index < list.count && list[index] == value
  }
}

extension Instruction {
  /// Where a relative branch leads, as an address; nil for other instructions. `offset` is the instruction's place
  /// in `code`, which begins at `base`.
  func target(in code: Bytes, at offset: Int, base: UInt64) -> UInt64? {
    guard isRelativeBranch else { return nil }
    let field = offset &+ Int(immediateOffset)
    let distance: Int64
    switch immediateSize {
    case 1: distance = Int64(code.load(Int8.self, at: field) ?? 0)
    case 2: distance = Int64(code.load(Int16.self, at: field) ?? 0)
    default: distance = Int64(code.load(Int32.self, at: field) ?? 0)
    }
    let end = base &+ UInt64(truncatingIfNeeded: offset &+ Int(length))
    return end &+ UInt64(bitPattern: distance)
  }
}
