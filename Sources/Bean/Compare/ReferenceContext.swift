/// A reference and the instructions around it: what is compared where functions have changed.
struct ReferenceContext {
  /// Of the instruction and three before and behind it, as `RiskStep.key` counts them.
  let hash: UInt64
  let reference: CodeReference

  /// Instructions on each side.
  private static var reach: Int { 3 }

  /// Those of one function for which `isWanted` holds, sorted by hash.
  static func all(
    _ binary: Binary, _ function: CodeTable.Function, _ isWanted: (CodeReference) -> Bool
  ) -> [ReferenceContext] {
    let references = binary.code.references[function.first..<function.end].filter(isWanted)
    guard !references.isEmpty, function.range.count <= RiskSequence.maximumSize,
      let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count)
    else { return [] }
    var keys: [UInt64] = []
    var places: [Int] = []
    var offset = 0
    while offset < bytes.count, let instruction = InstructionDecoder.decode(bytes, at: offset),
      instruction.length != 0
    {
      let start = offset
      offset += Int(instruction.length)
      if instruction.isNop { continue }
      keys.append(RiskEncoding(instruction: instruction, bytes: bytes, start: start).key)
      if places.count < references.count,
        references[places.count].instructionEnd == function.range.start &+ UInt64(offset)
      {
        places.append(keys.count - 1)
      }
    }
    guard places.count == references.count else { return [] }
    var found: [ReferenceContext] = []
    for step in places.indices {
      var hash = CodeHash()
      for place in (places[step] - reach)...(places[step] + reach) {
        hash.combine(place >= 0 && place < keys.count ? keys[place] : 1)
      }
      found.append(ReferenceContext(hash: hash.value, reference: references[step]))
    }
    return found.sorted { $0.hash != $1.hash ? $0.hash < $1.hash : $0.reference.field < $1.reference.field }
  }

  /// Calls `body` with each two of the sorted lists whose surroundings occur once in both.
  static func forEachPair(
    _ left: [ReferenceContext], _ right: [ReferenceContext], _ body: (CodeReference, CodeReference) -> Void
  ) {
    var (i, j) = (0, 0)
    while i < left.count, j < right.count {
      if left[i].hash != right[j].hash {
        if left[i].hash < right[j].hash { i += 1 } else { j += 1 }
        continue
      }
      let hash = left[i].hash
      let (firstI, firstJ) = (i, j)
      while i < left.count, left[i].hash == hash { i += 1 }
      while j < right.count, right[j].hash == hash { j += 1 }
      if i - firstI == 1, j - firstJ == 1 { body(left[firstI].reference, right[firstJ].reference) }
    }
  }
}
