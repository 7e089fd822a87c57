/// What a register or a word of the stack frame holds, as far as it can be told within one function.
struct FlowValue: Equatable {
  enum Kind: UInt8 {
    case unknown
    /// The argument of that number, 0 to 5, that the function was called with.
    case parameter
    /// What the call at that offset of the function returned.
    case result
    /// The address at that distance from where the stack pointer was when the function began.
    case frame
    case constant
    /// The address at that distance from the function's start, as LEA takes it of what lies beside the code.
    case address
    /// A number out of the table at that address, and the sum of both: where a jump of `switch` leads to.
    case distance
    case destination
  }

  var kind = Kind.unknown
  var number: Int64 = 0

  static var unknown: FlowValue { FlowValue() }
  static func frame(_ distance: Int64) -> FlowValue { FlowValue(kind: .frame, number: distance) }
  static func constant(_ value: Int64) -> FlowValue { FlowValue(kind: .constant, number: value) }
  static func address(_ distance: Int64) -> FlowValue { FlowValue(kind: .address, number: distance) }
  var isFrame: Bool { kind == .frame }
}

/// The general registers and known words of the stack frame at one place of a function.
struct FlowState {
  /// By their numbers in encodings.
  var registers = InlineArray<16, FlowValue>(repeating: .unknown)
  /// Words of the frame, sorted by their distance. What is not here is not known.
  private(set) var words: [(place: Int64, value: FlowValue)] = []
  /// From the lowest place of the frame whose address was taken, words may be written by others.
  private(set) var lowestTaken = Int64.max

  static var stackPointer: Int { 4 }
  static var framePointer: Int { 5 }
  /// RDI, RSI, RDX, RCX, R8, R9 (System V psABI, 3.2.3).
  static var arguments: InlineArray<6, Int> { [7, 6, 2, 1, 8, 9] }
  /// More words than that are not remembered.
  private static var maximumWords: Int { 96 }

  static var entry: FlowState {
    var state = FlowState()
    for index in 0..<6 {
      state.registers[arguments[index]] = FlowValue(kind: .parameter, number: Int64(index))
    }
    state.registers[stackPointer] = .frame(0)
    return state
  }

  /// Keeps what is the same in both. True: something was lost.
  mutating func meet(_ other: borrowing FlowState) -> Bool {
    var isLess = false
    for index in 0..<16
    where registers[index] != other.registers[index] && registers[index].kind != .unknown {
      registers[index] = .unknown
      isLess = true
    }
    let before = words.count
    if before != 0 { keepCommon(other) }
    if other.lowestTaken < lowestTaken {
      lowestTaken = other.lowestTaken
      isLess = true
    }
    return isLess || words.count != before
  }

  /// Both are sorted.
  private mutating func keepCommon(_ other: borrowing FlowState) {
    var (kept, next) = (0, 0)
    for index in words.indices {
      while next < other.words.count, other.words[next].place < words[index].place { next &+= 1 }
      guard next < other.words.count, other.words[next].place == words[index].place,
        other.words[next].value == words[index].value
      else { continue }
      if kept != index { words[kept] = words[index] }
      kept &+= 1
    }
    if kept < words.count { words.removeLast(words.count &- kept) }
  }

  func word(at place: Int64) -> FlowValue {
    for word in words where word.place == place { return word.value }
    return .unknown
  }

  mutating func take(_ place: Int64) { lowestTaken = min(lowestTaken, place) }

  mutating func store(_ value: FlowValue, at place: Int64, size: Int64) {
    words.removeAll { $0.place < place &+ size && place < $0.place &+ 8 }
    guard value.kind != .unknown, size == 8, words.count < FlowState.maximumWords else { return }
    words.insert((place, value), at: words.firstIndex { $0.place > place } ?? words.count)
  }

  /// A write through a pointer that may lead to the frame, or a call.
  mutating func forgetTaken() {
    if lowestTaken != .max { words.removeAll { $0.place &+ 8 > lowestTaken } }
  }

  /// A write to an array that begins there.
  mutating func forget(from place: Int64) { words.removeAll { $0.place &+ 8 > place } }

  mutating func forgetWords() { words = [] }

  mutating func forget(_ register: Int) { registers[register & 15] = .unknown }

  mutating func forgetAll() {
    for index in 0..<16 { registers[index] = .unknown }
    words = []
  }

  /// RAX, RCX, RDX, RSI, RDI, R8 to R11 are the callee's (System V psABI, 3.2.1).
  static var volatile: UInt16 { 0x0fc7 }

  /// `changed`: registers of these that the callee does change.
  mutating func call(at place: Int64, changed: UInt16) {
    for register in 0..<12 where (changed & FlowState.volatile) >> UInt16(register) & 1 != 0 {
      registers[register] = .unknown
    }
    registers[0] = FlowValue(kind: .result, number: place)
    forgetTaken()
  }
}
