import Bean
import CZydis
import Foundation

/// Disassembly text with everything that depends on the place written as what it means: names instead of addresses,
/// distances from the function's start instead of branch targets inside it.
struct Disassembler {
  /// One instruction, or one word of data.
  struct Line {
    let offset: UInt64
    /// In hexadecimal, position-dependent bytes as "..".
    let bytes: String
    /// The same for moved code.
    let text: String
    /// What its operand does, for `-vvv`; nil without a reference.
    let use: String?
  }

  private var decoder = ZydisDecoder()
  private var formatter = ZydisFormatter()
  private let table: ItemTable

  init(_ table: ItemTable) {
    self.table = table
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)
  }

  func lines(of index: Int) -> [Line] {
    let item = table.items[index]
    return item.kind == .function ? code(item) : words(item)
  }

  // MARK: - Code

  private func code(_ item: Item) -> [Line] {
    let bytes = table.bytes(of: item)
    var lines: [Line] = []
    var offset = 0
    var reference = item.first
    while offset < bytes.count {
      guard let decoded = decode(bytes, offset) else {
        lines.append(Line(offset: UInt64(offset), bytes: hex(bytes[offset]), text: "(no instruction)", use: nil))
        offset += 1
        continue
      }
      let length = Int(decoded.instruction.length)
      let address = item.range.start &+ UInt64(offset)
      while reference < item.end, table.references[reference].field < address { reference += 1 }
      var field: ItemReference?
      if reference < item.end, table.references[reference].field < address &+ UInt64(length) {
        field = table.references[reference]
      }
      lines.append(line(decoded, bytes, offset, item, field))
      offset += length
    }
    return lines
  }

  private typealias Operands = (
    ZydisDecodedOperand, ZydisDecodedOperand, ZydisDecodedOperand, ZydisDecodedOperand, ZydisDecodedOperand,
    ZydisDecodedOperand, ZydisDecodedOperand, ZydisDecodedOperand, ZydisDecodedOperand, ZydisDecodedOperand
  )

  private struct Decoded {
    var instruction = ZydisDecodedInstruction()
    var operands = [ZydisDecodedOperand](repeating: ZydisDecodedOperand(), count: 10)
  }

  private func decode(_ code: Bytes, _ offset: Int) -> Decoded? {
    var decoder = self.decoder
    var decoded = Decoded()
    let status = code.withUnsafeBytes { (buffer) -> ZyanStatus in
      guard let base = buffer.baseAddress else { return .max }
      return ZydisDecoderDecodeFull(
        &decoder, base + offset, ZyanUSize(min(15, buffer.count - offset)), &decoded.instruction, &decoded.operands)
    }
    // ZYAN_SUCCESS is a macro that Swift doesn't see: the sign bit is the error bit.
    return status & 0x8000_0000 == 0 ? decoded : nil
  }

  private func line(
    _ decoded: Decoded, _ code: Bytes, _ offset: Int, _ item: Item, _ reference: ItemReference?
  ) -> Line {
    let address = item.range.start &+ UInt64(offset)
    let length = Int(decoded.instruction.length)
    var masked = 0..<0
    if let reference {
      let first = Int(reference.field &- address)
      masked = first..<first + Int(reference.size)
    }
    var bytes = ""
    for index in 0..<length { bytes += masked.contains(index) ? ".." : hex(code[offset + index]) }
    var text = format(decoded, address)
    if let target = absoluteTarget(decoded, address) {
      let written = "0x" + String(repeating: "0", count: 16 - hexDigits(target).count) + hexDigits(target)
      text = text.replacingFirst(written, with: meaning(target, item, reference))
    }
    return Line(offset: UInt64(offset), bytes: bytes, text: text, use: reference.map { use($0, decoded) })
  }

  private func hexDigits(_ value: UInt64) -> String { String(value, radix: 16, uppercase: true) }
  private func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

  private func format(_ decoded: Decoded, _ address: UInt64) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    var (instruction, formatter) = (decoded.instruction, formatter)
    let status = ZydisFormatterFormatInstruction(
      &formatter, &instruction, decoded.operands, instruction.operand_count_visible, &buffer, ZyanUSize(buffer.count),
      address, nil)
    guard status & 0x8000_0000 == 0 else { return "(not formatted)" }
    return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
  }

  /// What a relative branch or [rip + displacement] reaches.
  private func absoluteTarget(_ decoded: Decoded, _ address: UInt64) -> UInt64? {
    let end = address &+ UInt64(decoded.instruction.length)
    let raw = decoded.instruction.raw
    if raw.imm.0.is_relative != 0 { return end &+ UInt64(bitPattern: raw.imm.0.value.s) }
    if raw.modrm.mod == 0, raw.modrm.rm == 5, raw.disp.size == 32 {
      return end &+ UInt64(bitPattern: raw.disp.value)
    }
    return nil
  }

  private func meaning(_ target: UInt64, _ item: Item, _ reference: ItemReference?) -> String {
    var text = Text()
    text.append("<")
    if let reference {
      text.append(target: reference.target, of: table)
      if reference.isIndirect { text.append("@got") }
    } else if item.range.contains(target) || item.range.end == target {
      text.append("+")
      text.append(hex: target &- item.range.start)
    } else {
      text.append(target: table.target(of: target).0, of: table)
    }
    text.append(">")
    return String(decoding: text.bytes, as: UTF8.self)
  }

  private func use(_ reference: ItemReference, _ decoded: Decoded) -> String {
    var text = Text()
    switch reference.kind {
    case .memory:
      let actions = decoded.operands.prefix(Int(decoded.instruction.operand_count_visible)).filter {
        $0.type == ZYDIS_OPERAND_TYPE_MEMORY
      }.reduce(0) { $0 | UInt32($1.actions) }
      switch decoded.instruction.meta.category {
      case ZYDIS_CATEGORY_CALL: text.append("call")
      case ZYDIS_CATEGORY_UNCOND_BR: text.append("jump")
      default:
        // ZYDIS_OPERAND_ACTION_READ and _CONDREAD, _WRITE and _CONDWRITE.
        let (reads, writes) = (actions & 5 != 0, actions & 10 != 0)
        text.append(reads && writes ? "load+store" : writes ? "store" : "load")
      }
    default: text.append(reference.kind.word)
    }
    text.append(" ")
    text.append(decimal: UInt64(reference.size))
    text.append(" bytes at ")
    text.append(hex: reference.field)
    text.append(" -> ")
    text.append(target: reference.target, of: table)
    return String(decoding: text.bytes, as: UTF8.self)
  }

  // MARK: - Data

  /// Eight bytes a line.
  private func words(_ item: Item) -> [Line] {
    let bytes = table.content(of: item)
    var masked: [Int: ItemReference] = [:]
    for reference in table.references[item.first..<item.end] {
      masked[Int(truncatingIfNeeded: reference.field &- item.range.start)] = reference
    }
    var lines: [Line] = []
    var offset = 0
    while offset < bytes.count {
      let reference = masked[offset]
      var end = min(offset + Int(reference?.size ?? 8), bytes.count)
      if reference == nil, let next = (offset + 1..<max(end, offset + 1)).first(where: { masked[$0] != nil }) {
        end = next
      }
      var digits = ""
      var characters = ""
      for index in offset..<end {
        digits += reference != nil ? ".." : hex(bytes[index])
        let byte = bytes[index]
        characters += byte >= 0x20 && byte < 0x7f ? String(UnicodeScalar(byte)) : "."
      }
      if let reference {
        var text = Text()
        text.append("<")
        text.append(target: reference.target, of: table)
        text.append(">")
        characters = String(decoding: text.bytes, as: UTF8.self)
      }
      lines.append(
        Line(
          offset: UInt64(offset), bytes: digits, text: characters,
          use: reference.map { "\($0.kind.word) \($0.size) bytes at 0x\(String($0.field, radix: 16))" }))
      offset = end
    }
    return lines
  }
}

extension String {
  func replacingFirst(_ part: String, with other: String) -> String {
    guard let range = self.range(of: part) else { return self }
    return replacingCharacters(in: range, with: other)
  }
}
