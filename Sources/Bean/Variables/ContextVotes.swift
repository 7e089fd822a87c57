/// Votes by changed functions: a reference whose surroundings, the three instructions before and behind it, occur once
/// in both versions of a function.
extension VariableMatcher {
  private struct Context {
    let hash: UInt64
    let target: UInt64
    let isAddress: Bool
  }

  /// Instructions on each side.
  private static var reach: Int { 3 }

  mutating func voteByChangedCode() {
    let matches = comparison.matches
    for index in comparison.new.code.functions.indices where !matches.isEqual[index] && matches.oldOfNew[index] >= 0 {
      let left = contexts(comparison.old, Int(matches.oldOfNew[index]))
      let right = left.isEmpty ? [] : contexts(comparison.new, index)
      var (i, j) = (0, 0)
      while i < left.count, j < right.count {
        if left[i].hash != right[j].hash {
          if left[i].hash < right[j].hash { i += 1 } else { j += 1 }
          continue
        }
        let hash = left[i].hash
        let (a, b) = (left[i], right[j])
        let (firstI, firstJ) = (i, j)
        while i < left.count, left[i].hash == hash { i += 1 }
        while j < right.count, right[j].hash == hash { j += 1 }
        if i - firstI == 1, j - firstJ == 1 { vote(old: a.target, new: b.target, .changedCode, isAddress: a.isAddress) }
      }
    }
  }

  /// Sorted by hash.
  private func contexts(_ binary: Binary, _ index: Int) -> [Context] {
    let function = binary.code.functions[index]
    let references = binary.code.references[function.first..<function.end].filter {
      $0.kind != .branch && binary.isInState($0.target)
    }
    guard !references.isEmpty, function.range.count <= RiskSequence.maximumSize,
      let bytes = binary.file.image.bytes(at: function.range.start, count: function.range.count)
    else { return [] }
    var keys: [UInt64] = []
    var places: [Int] = []
    var offset = 0
    var next = 0
    while offset < bytes.count, let instruction = InstructionDecoder.decode(bytes, at: offset), instruction.length != 0
    {
      offset += Int(instruction.length)
      if instruction.isNop { continue }
      keys.append(RiskEncoding(instruction: instruction, bytes: bytes, start: offset - Int(instruction.length)).key)
      if next < references.count, references[next].instructionEnd == function.range.start &+ UInt64(offset) {
        places.append(keys.count - 1)
        next += 1
      }
    }
    guard places.count == references.count else { return [] }
    var found: [Context] = []
    for step in places.indices {
      var hash = CodeHash()
      for place in (places[step] - VariableMatcher.reach)...(places[step] + VariableMatcher.reach) {
        hash.combine(place >= 0 && place < keys.count ? keys[place] : 1)
      }
      found.append(
        Context(hash: hash.value, target: references[step].target, isAddress: references[step].kind == .address))
    }
    return found.sorted { $0.hash < $1.hash }
  }
}
