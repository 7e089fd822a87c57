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

  /// The kind in the lowest byte, the number above: states are compared and copied often.
  private let bits: UInt64

  /// Numbers of more than 56 bits are none that matter.
  init(_ kind: Kind, _ number: Int64) {
    bits = (number << 8) >> 8 == number ? UInt64(bitPattern: number) << 8 | UInt64(kind.rawValue) : 0
  }

  var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: bits)) ?? .unknown }
  var number: Int64 { Int64(bitPattern: bits) >> 8 }

  /// Some order.
  static func isBefore(_ a: FlowValue, _ b: FlowValue) -> Bool { a.bits < b.bits }

  static var unknown: FlowValue { FlowValue(.unknown, 0) }
  var isUnknown: Bool { bits == 0 }
  var isFrame: Bool { kind == .frame }
}

/// The general registers and known words of the stack frame at one place of a function. It is copied often, so
/// everything lies in it.
struct FlowState {
  /// By their numbers in encodings.
  var registers = InlineArray<16, FlowValue>(repeating: .unknown)
  /// Words of the frame, sorted by their distances from where the stack pointer was when the function began. What is
  /// not here is not known.
  private var places = InlineArray<12, Int32>(repeating: 0)
  private var values = InlineArray<12, FlowValue>(repeating: .unknown)
  private var count = 0
  /// From the lowest place of the frame whose address was taken, words may be written by others.
  private var lowestTaken = Int64.max

  static var stackPointer: Int { 4 }
  static var framePointer: Int { 5 }
  /// RDI, RSI, RDX, RCX, R8, R9 (System V psABI, 3.2.3).
  static var arguments: InlineArray<6, Int> { [7, 6, 2, 1, 8, 9] }
  /// RAX, RCX, RDX, RSI, RDI, R8 to R11 are the callee's (System V psABI, 3.2.1).
  static var volatile: UInt16 { 0x0fc7 }

  static var entry: FlowState {
    var state = FlowState()
    for index in 0..<6 { state.registers[arguments[index]] = FlowValue(.parameter, Int64(index)) }
    state.registers[stackPointer] = FlowValue(.frame, 0)
    return state
  }

  /// Keeps what is the same in both. True: something was lost.
  mutating func meet(_ other: borrowing FlowState) -> Bool {
    var isLess = false
    for index in 0..<16 where registers[index] != other.registers[index] && !registers[index].isUnknown {
      registers[index] = .unknown
      isLess = true
    }
    if count != 0, keepCommon(other) { isLess = true }
    if other.lowestTaken < lowestTaken {
      lowestTaken = other.lowestTaken
      isLess = true
    }
    return isLess
  }

  /// Both are sorted.
  private mutating func keepCommon(_ other: borrowing FlowState) -> Bool {
    var (kept, next) = (0, 0)
    for index in 0..<count {
      while next < other.count, other.places[next] < places[index] { next &+= 1 }
      guard next < other.count, other.places[next] == places[index], other.values[next] == values[index] else {
        continue
      }
      places[kept] = places[index]
      values[kept] = values[index]
      kept &+= 1
    }
    let isLess = kept < count
    count = kept
    return isLess
  }

  func word(at place: Int64) -> FlowValue {
    for index in 0..<count where Int64(places[index]) >= place {
      return Int64(places[index]) == place ? values[index] : .unknown
    }
    return .unknown
  }

  mutating func take(_ place: Int64) { lowestTaken = min(lowestTaken, place) }

  mutating func store(_ value: FlowValue, at place: Int64, size: Int64) {
    var first = 0
    while first < count, Int64(places[first]) &+ 8 <= place { first &+= 1 }
    var end = first
    while end < count, Int64(places[end]) < place &+ size { end &+= 1 }
    remove(first, end)
    guard size == 8, !value.isUnknown, count < places.count, let place = Int32(exactly: place) else { return }
    var index = count
    while index > first {
      places[index] = places[index &- 1]
      values[index] = values[index &- 1]
      index &-= 1
    }
    (places[first], values[first]) = (place, value)
    count &+= 1
  }

  private mutating func remove(_ first: Int, _ end: Int) {
    if first == end { return }
    var index = end
    while index < count {
      places[first &+ index &- end] = places[index]
      values[first &+ index &- end] = values[index]
      index &+= 1
    }
    count &-= end &- first
  }

  /// A write through a pointer that may lead to the frame, or a call.
  mutating func forgetTaken() {
    if lowestTaken != .max { forget(from: lowestTaken) }
  }

  /// Words at that place and above.
  mutating func forget(from place: Int64) {
    while count > 0, Int64(places[count &- 1]) &+ 8 > place { count &-= 1 }
  }

  mutating func forgetWords() { count = 0 }

  mutating func forget(_ mask: UInt16) {
    var rest = mask
    while rest != 0 {
      registers[rest.trailingZeroBitCount] = .unknown
      rest &= rest &- 1
    }
  }

  /// `changed`: registers of these that the callee does change.
  mutating func call(at place: Int64, changed: UInt16) {
    forget(changed & FlowState.volatile)
    registers[0] = FlowValue(.result, place)
    forgetTaken()
  }
}
