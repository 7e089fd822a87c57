/// Reads the encodings of DWARF exception tables in order (LSB Core, "DWARF Extensions"; DWARF 5, 7.6).
struct UnwindReader {
  /// DW_EH_PE_omit: there is no value.
  static var omit: UInt8 { 0xff }

  let bytes: Bytes
  /// The object's address of the first byte: what "relative to the field" counts from.
  let base: UInt64
  var offset: Int

  init(_ bytes: Bytes, base: UInt64, at offset: Int = 0) {
    self.bytes = bytes
    self.base = base
    self.offset = offset
  }

  var address: UInt64 { base &+ UInt64(truncatingIfNeeded: offset) }
  var error: ELFError { ELFError(.unwindTable, at: address) }

  mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(ELFError) -> T {
    guard let value = bytes.load(type, at: offset) else { throw error }
    offset = offset &+ MemoryLayout<T>.size
    return value
  }

  mutating func uleb() throws(ELFError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = try read(UInt8.self)
      if shift < 64 { value |= UInt64(byte & 0x7f) << shift }
      if byte & 0x80 == 0 { return value }
      shift += 7
      // Ten bytes hold 64 bits; more are no number.
      guard shift < 70 else { throw error }
    }
  }

  mutating func sleb() throws(ELFError) -> Int64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = try read(UInt8.self)
      if shift < 64 { value |= UInt64(byte & 0x7f) << shift }
      shift += 7
      if byte & 0x80 == 0 {
        if byte & 0x40 != 0, shift < 64 { value |= UInt64.max << shift }
        return Int64(bitPattern: value)
      }
      guard shift < 70 else { throw error }
    }
  }

  /// A number in the format of the low four bits (DW_EH_PE_absptr, uleb128, udata2, …), sign-extended.
  mutating func number(_ format: UInt8) throws(ELFError) -> UInt64 {
    switch format & 0x0f {
    case 0x00, 0x04, 0x0c: return try read(UInt64.self)
    case 0x01: return try uleb()
    case 0x02: return UInt64(try read(UInt16.self))
    case 0x03: return UInt64(try read(UInt32.self))
    case 0x09: return UInt64(bitPattern: try sleb())
    case 0x0a: return UInt64(bitPattern: Int64(try read(Int16.self)))
    case 0x0b: return UInt64(bitPattern: Int64(try read(Int32.self)))
    default: throw error
    }
  }

  /// An encoded pointer. The result of one with DW_EH_PE_indirect is the address of the word that holds the
  /// pointer. nil: omitted, or a null pointer, which is never relative to anything.
  mutating func pointer(_ encoding: UInt8, dataBase: UInt64? = nil, functionBase: UInt64? = nil) throws(ELFError)
    -> UInt64?
  {
    if encoding == UnwindReader.omit { return nil }
    // DW_EH_PE_aligned: a word at the next multiple of its size.
    if encoding & 0x70 == 0x50 { offset = offset &+ Int(truncatingIfNeeded: (0 &- address) & 7) }
    let place = address
    let value = try number(encoding)
    if value == 0 { return nil }
    switch encoding & 0x70 {
    case 0x00, 0x50: return value
    case 0x10: return value &+ place
    case 0x30:
      guard let dataBase else { throw error }
      return value &+ dataBase
    case 0x40:
      guard let functionBase else { throw error }
      return value &+ functionBase
    // DW_EH_PE_textrel has no base on this processor.
    default: throw error
    }
  }

  /// Size of a pointer in an array, where only fixed sizes make sense; nil for others.
  static func fixedSize(_ encoding: UInt8) -> Int? {
    switch encoding & 0x07 {
    case 0x00, 0x04: return 8
    case 0x02: return 2
    case 0x03: return 4
    default: return nil
    }
  }
}
