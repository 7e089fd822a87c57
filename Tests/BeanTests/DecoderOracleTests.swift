import CZydis
import Testing

@testable import Bean

/// Bean's decoder against Zydis, over real code and over every opcode.
@Suite struct DecoderOracleTests {
  struct Tally {
    var agreed = 0
    /// Where both say something, and not the same.
    var different = 0
    /// Zydis knows it, Bean does not.
    var refused = 0
    /// Bean takes it, Zydis does not.
    var extra = 0
    var samples: [String] = []

    mutating func compare(_ oracle: ZydisOracle, _ code: Bytes, at offset: Int) -> Int {
      let wanted = oracle.decode(code, at: offset)
      let found = InstructionDecoder.decode(code, at: offset)
      switch (wanted, found) {
      case (nil, nil): return 1
      case (nil, .some(let found)):
        extra += 1
        note("extra", code, offset, Int(found.length))
        return 1
      case (.some(let wanted), nil):
        refused += 1
        note("refused", code, offset, wanted.length)
        return wanted.length
      case (.some(let wanted), .some(let found)):
        if wanted == ZydisOracle.Fields(found) {
          agreed += 1
        } else {
          different += 1
          note("different \(wanted) \(found)", code, offset, wanted.length)
        }
        return wanted.length
      }
    }

    private mutating func note(_ what: String, _ code: Bytes, _ offset: Int, _ length: Int) {
      guard samples.count < 400 else { return }
      let bytes = (offset..<offset + length).map { String(code[$0], radix: 16) }.joined(separator: " ")
      samples.append("\(what): \(bytes)")
    }
  }

  @Test(arguments: ["libc.so.6", "libstdc++.so.6", "libm.so.6", "libcrypto.so.3"])
  func everyInstructionOfALibrary(_ name: String) throws {
    guard let bytes = TestFile.library(name) else { return }
    let file = try ObjectFile(bytes)
    let oracle = ZydisOracle()
    var tally = Tally()
    let functions = try FunctionMap(file).functions.filter { $0.source == .unwind }
    for function in functions {
      let code = try #require(file.image.bytes(at: function.range.start, count: function.range.count))
      var offset = 0
      while offset < code.count { offset += tally.compare(oracle, code, at: offset) }
    }
    print(
      "\(name): \(tally.agreed) agreed, \(tally.different) different, \(tally.refused) refused, \(tally.extra) extra")
    #expect(tally.agreed > 1000 && tally.samples.isEmpty, "\(tally.samples.prefix(40))")
  }

  /// The quick decoder says nothing, or the same.
  private static func isSame(_ quick: QuickInstruction, _ found: Instruction?) -> Bool {
    guard quick.length != 0 else { return true }
    guard let found, Int(found.length) == quick.length, found.opcode != 0x63 || found.map != 0,
      found.immediateSize != 8
    else { return false }
    switch quick.field {
    case .none: return !found.isRIPRelative && !found.isRelativeBranch
    case .memory, .address:
      let isLEA = found.map == 0 && found.opcode == 0x8d
      return found.isRIPRelative && quick.place == Int(found.displacementOffset)
        && isLEA == (quick.field == .address)
    case .byteDistance, .wordDistance:
      return found.isRelativeBranch && quick.place == Int(found.immediateOffset)
        && found.immediateSize == (quick.field == .byteDistance ? 1 : 4)
    }
  }

  /// With all prefixes that it takes, all opcodes and all ModRM bytes; and most instructions of a library are quick.
  @Test func quickDecoder() throws {
    let prefixes: [[UInt8]] = [
      [], [0x66], [0xf3], [0xf2], [0x40], [0x48], [0x66, 0x41], [0x66, 0x48], [0xf3, 0x48], [0xf2, 0x44], [0xf0],
      [0x66, 0x66], [0x48, 0x66], [0x48, 0x41], [0x66, 0xf3], [0x2e],
    ]
    for prefix in prefixes {
      for map in [[], [0x0f]] as [[UInt8]] {
        for opcode in UInt8.min...UInt8.max {
          for modRM in UInt8.min...UInt8.max {
            for sib in [0x05, 0x24, 0xe5] as [UInt8] {
              let content = prefix + map + [opcode, modRM, sib] + [UInt8](repeating: 0x11, count: 16)
              content.withUnsafeBytes { (buffer) in
                let code = Bytes(buffer)
                let quick = code.quickInstruction(at: 0)
                if !Self.isSame(quick, InstructionDecoder.decode(code, at: 0)) {
                  Issue.record("\(content.map { String($0, radix: 16) }): \(quick)")
                }
              }
            }
          }
        }
      }
    }
    guard let bytes = TestFile.library("libcrypto.so.3") else { return }
    let file = try ObjectFile(bytes)
    var (quickOnes, all) = (0, 0)
    for function in try FunctionMap(file).functions where function.source == .unwind {
      let code = try #require(file.image.bytes(at: function.range.start, count: function.range.count))
      var offset = 0
      while let found = InstructionDecoder.decode(code, at: offset) {
        let quick = code.quickInstruction(at: offset)
        #expect(Self.isSame(quick, found))
        all += 1
        if quick.length != 0 { quickOnes += 1 }
        offset += Int(found.length)
      }
    }
    #expect(quickOnes * 10 > all * 7, "\(quickOnes) of \(all)")
  }

  @Test func everyOpcode() {
    let oracle = ZydisOracle()
    var tally = Tally()
    let prefixes: [[UInt8]] = [
      [], [0x66], [0xf3], [0xf2], [0x48], [0x66, 0x48], [0xf3, 0x48], [0xf2, 0x49], [0x67], [0x66, 0xf3],
      [0x66, 0xf2],
      [0xf0], [0x66, 0x67, 0x4f], [0x2e, 0x44],
    ]
    let maps: [[UInt8]] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]]
    for prefix in prefixes {
      for map in maps {
        for opcode in UInt8.min...UInt8.max {
          for modRM in UInt8.min...UInt8.max {
            let bytes = prefix + map + [opcode, modRM] + [UInt8](repeating: 0x0d, count: 15)
            bytes.withUnsafeBytes { _ = tally.compare(oracle, Bytes($0), at: 0) }
          }
        }
      }
    }
    print(
      "opcodes: \(tally.agreed) agreed, \(tally.different) different, \(tally.refused) refused, \(tally.extra) extra")
    #expect(tally.different == 0 && tally.refused == 0, "\(tally.samples)")
  }

  /// Random bytes behind random prefixes and escapes: where both decode, they agree.
  @Test func randomInstructions() {
    let oracle = ZydisOracle()
    var random = TestRandom(0xdec0de)
    var tally = Tally()
    let heads: [[UInt8]] = [
      [], [0x0f], [0x0f, 0x38], [0x0f, 0x3a], [0x62], [0xc4], [0xc5], [0x8f], [0x66], [0xf2], [0xf3], [0xf0],
      [0x0f, 0x0f],
    ]
    var bytes = [UInt8](repeating: 0, count: 18)
    for round in 0..<400_000 {
      for index in 0..<bytes.count { bytes[index] = UInt8(truncatingIfNeeded: random.next() >> 40) }
      let head = heads[round % heads.count]
      bytes.replaceSubrange(0..<head.count, with: head)
      bytes.withUnsafeBytes { _ = tally.compare(oracle, Bytes($0), at: 0) }
    }
    print(
      "random: \(tally.agreed) agreed, \(tally.different) different, \(tally.refused) refused, \(tally.extra) extra")
    let samples = tally.samples.filter { !$0.hasPrefix("extra") }
    #expect(tally.different == 0 && tally.refused == 0, "\(samples)")
  }
}
