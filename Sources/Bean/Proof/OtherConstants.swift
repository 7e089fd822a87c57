/// Read-only words that would reach state as relative references, and are something else for certain: told by how code
/// refers to them, and by what they are a part of.
struct OtherConstants {
  private let binary: Binary
  private let extents: ExtentMap
  /// Addresses of memory operands in read-only data, sorted; LEA is none.
  private let operands: [UInt64]
  /// Of addresses that code takes, with the function that does, sorted by address.
  private let taken: [(address: UInt64, function: AddressRange)]

  init(_ binary: Binary) {
    self.binary = binary
    extents = ExtentMap(binary)
    var operands: [UInt64] = []
    var taken: [(address: UInt64, function: AddressRange)] = []
    for function in binary.code.functions {
      for reference in binary.code.references[function.first..<function.end]
      where reference.kind != .branch && binary.regions.kind(of: reference.target) == .readOnly {
        if reference.kind == .memory {
          operands.append(reference.target)
        } else {
          taken.append((reference.target, function.range))
        }
      }
    }
    self.operands = operands.sorted()
    self.taken = taken.sorted {
      $0.address != $1.address ? $0.address < $1.address : $0.function.start < $1.function.start
    }
  }

  func explains(_ word: UInt64) -> Bool {
    if let inside = extents.start(before: word &+ 3), inside > word { return true }
    return isOperand(word) || isInText(word) || isInWideText(word) || isJump(word)
  }

  /// Loaded as it is: a relative table is read through a register.
  private func isOperand(_ word: UInt64) -> Bool {
    var low = 0
    var high = operands.count
    while low < high {
      let middle = (low + high) / 2
      if operands[middle] < word { low = middle + 1 } else { high = middle }
    }
    return low < operands.count && operands[low] == word
  }

  /// In a string that something refers to: with four printable bytes before the word and none that ends it, the
  /// words of the same table before this one would reach beyond 512 MiB.
  private func isInText(_ word: UInt64) -> Bool {
    guard let start = extents.start(before: word), word &- start >= 4, word &- start < 1 << 16,
      let bytes = binary.file.image.bytes(at: start, count: word &- start)
    else { return false }
    for index in 0..<bytes.count where !OtherConstants.isPrintable(bytes[index]) { return false }
    return true
  }

  /// Among text of 16-bit characters, eight on each side.
  private func isInWideText(_ word: UInt64) -> Bool {
    guard let bytes = binary.file.image.bytes(at: word &- 16, count: 36) else { return false }
    for index in 0..<bytes.count {
      guard index % 2 == 0 ? OtherConstants.isPrintable(bytes[index]) : bytes[index] == 0 else { return false }
    }
    return true
  }

  private static func isPrintable(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x7f || byte == 0x0a || byte == 0x09
  }

  /// An entry of a jump table: all words from a table's start, which code takes the address of, lead into the
  /// function that does, as distances from the table's start.
  private func isJump(_ word: UInt64) -> Bool {
    guard let start = extents.start(before: word), (word &- start) % 4 == 0, word &- start < 1 << 14 else {
      return false
    }
    var low = 0
    var high = taken.count
    while low < high {
      let middle = (low + high) / 2
      if taken[middle].address < start { low = middle + 1 } else { high = middle }
    }
    while low < taken.count, taken[low].address == start {
      if isJumpTable(start, through: word, taken[low].function) { return true }
      low += 1
    }
    return false
  }

  private func isJumpTable(_ start: UInt64, through word: UInt64, _ function: AddressRange) -> Bool {
    var place = start
    while place <= word {
      guard let distance = binary.file.image.load(Int32.self, at: place) else { return false }
      let target = start &+ UInt64(bitPattern: Int64(distance))
      // Parts of a function that are rarely executed lie elsewhere.
      guard function.contains(target) || binary.regions.kind(of: target) == .code else { return false }
      place = place &+ 4
    }
    return true
  }
}
