import Testing

@testable import Bean

/// Single encodings whose fields are known by the manual, the odd ones above all.
@Suite struct DecoderTableTests {
  struct Case: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    var displacement: (UInt8, UInt8) = (0, 0)
    var immediate: (UInt8, UInt8) = (0, 0)
    var flow = Instruction.Flow.next
    var ripRelative = false
    var branch = false
    var nop = false
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "push rbp", bytes: [0x55]),
    Case(name: "mov rax, [rip+d]", bytes: [0x48, 0x8b, 0x05, 1, 2, 3, 4], displacement: (3, 4), ripRelative: true),
    Case(
      name: "mov eax, [eip+d]", bytes: [0x67, 0x8b, 0x05, 1, 2, 3, 4], displacement: (3, 4), ripRelative: true),
    Case(
      name: "cmp byte [rip+d], imm8", bytes: [0x80, 0x3d, 1, 2, 3, 4, 0], displacement: (2, 4), immediate: (6, 1),
      ripRelative: true),
    Case(name: "mov eax, [disp32]", bytes: [0x8b, 0x04, 0x25, 1, 2, 3, 4], displacement: (3, 4)),
    Case(name: "mov eax, [rbp*1+disp32]", bytes: [0x8b, 0x04, 0x2d, 1, 2, 3, 4], displacement: (3, 4)),
    Case(name: "mov eax, [r13+0]", bytes: [0x41, 0x8b, 0x45, 0], displacement: (3, 1)),
    Case(
      name: "r13 without displacement is rip", bytes: [0x41, 0x8b, 0x05, 0, 0, 0, 0], displacement: (3, 4),
      ripRelative: true),
    Case(name: "movabs rax, imm64", bytes: [0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8], immediate: (2, 8)),
    Case(name: "mov ax, imm16", bytes: [0x66, 0xb8, 1, 2], immediate: (2, 2)),
    Case(name: "mov rax, imm64 with 66", bytes: [0x66, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8], immediate: (3, 8)),
    Case(name: "movabs al, [moffs64]", bytes: [0xa0, 1, 2, 3, 4, 5, 6, 7, 8], displacement: (1, 8)),
    Case(name: "mov eax, [moffs32]", bytes: [0x67, 0xa1, 1, 2, 3, 4], displacement: (2, 4)),
    Case(name: "enter", bytes: [0xc8, 0x10, 0, 1], immediate: (1, 3)),
    Case(name: "add rax, imm32 with 66", bytes: [0x66, 0x48, 0x05, 1, 2, 3, 4], immediate: (3, 4)),
    Case(name: "add ax, imm16", bytes: [0x66, 0x05, 1, 2], immediate: (2, 2)),
    Case(name: "REX before 66 has no effect", bytes: [0x48, 0x66, 0x05, 1, 2], immediate: (3, 2)),
    Case(name: "test eax, imm32", bytes: [0xf7, 0xc0, 1, 2, 3, 4], immediate: (2, 4)),
    Case(name: "test cl, imm8", bytes: [0xf6, 0xc1, 1], immediate: (2, 1)),
    Case(name: "not eax", bytes: [0xf7, 0xd0]),
    Case(name: "ret imm16", bytes: [0xc2, 8, 0], immediate: (1, 2), flow: .return),
    Case(name: "ret", bytes: [0xc3], flow: .return),
    Case(name: "repz ret", bytes: [0xf3, 0xc3], flow: .return),
    Case(name: "call rel32", bytes: [0xe8, 1, 2, 3, 4], immediate: (1, 4), flow: .call, branch: true),
    Case(
      name: "66 call rel32: Intel ignores 66", bytes: [0x66, 0xe8, 1, 2, 3, 4], immediate: (2, 4), flow: .call,
      branch: true),
    Case(
      name: "data16 data16 rex.W call __tls_get_addr", bytes: [0x66, 0x66, 0x48, 0xe8, 1, 2, 3, 4],
      immediate: (4, 4), flow: .call, branch: true),
    Case(name: "jmp rel8", bytes: [0xeb, 1], immediate: (1, 1), flow: .jump, branch: true),
    Case(
      name: "jcc rel32", bytes: [0x0f, 0x84, 1, 2, 3, 4], immediate: (2, 4), flow: .conditionalJump, branch: true),
    Case(name: "jrcxz", bytes: [0xe3, 1], immediate: (1, 1), flow: .conditionalJump, branch: true),
    Case(name: "xbegin", bytes: [0xc7, 0xf8, 1, 2, 3, 4], immediate: (2, 4), flow: .conditionalJump, branch: true),
    Case(
      name: "call [rip+d]", bytes: [0xff, 0x15, 1, 2, 3, 4], displacement: (2, 4), flow: .indirectCall,
      ripRelative: true),
    Case(
      name: "bnd jmp [rip+d]", bytes: [0xf2, 0xff, 0x25, 1, 2, 3, 4], displacement: (3, 4), flow: .indirectJump,
      ripRelative: true),
    Case(name: "notrack jmp rax", bytes: [0x3e, 0xff, 0xe0], flow: .indirectJump),
    Case(name: "jmp far [rax]", bytes: [0x48, 0xff, 0x28], flow: .indirectJump),
    Case(name: "call far [rax]", bytes: [0xff, 0x18], flow: .indirectCall),
    Case(name: "ud2", bytes: [0x0f, 0x0b], flow: .stop),
    Case(name: "hlt", bytes: [0xf4], flow: .stop),
    Case(name: "endbr64 is no nop", bytes: [0xf3, 0x0f, 0x1e, 0xfa]),
    Case(name: "nop", bytes: [0x90], nop: true),
    Case(name: "xchg ax, ax", bytes: [0x66, 0x90], nop: true),
    Case(name: "pause", bytes: [0xf3, 0x90]),
    Case(name: "xchg r8, rax", bytes: [0x49, 0x90]),
    Case(
      name: "longest nop", bytes: [0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0], displacement: (7, 4),
      nop: true),
    Case(name: "pfadd: the opcode is the suffix", bytes: [0x0f, 0x0f, 0x45, 8, 0x9e], displacement: (3, 1)),
    Case(name: "extrq imm8, imm8", bytes: [0x66, 0x0f, 0x78, 0xc1, 4, 5], immediate: (4, 2)),
    Case(name: "vmread", bytes: [0x0f, 0x78, 0xc1]),
    Case(
      name: "pshufb [rip+d]", bytes: [0x66, 0x0f, 0x38, 0, 0x05, 1, 2, 3, 4], displacement: (5, 4), ripRelative: true),
    Case(name: "palignr imm8", bytes: [0x66, 0x0f, 0x3a, 0x0f, 0xc1, 8], immediate: (5, 1)),
    Case(name: "vzeroupper", bytes: [0xc5, 0xf8, 0x77]),
    Case(name: "vgatherdps with VSIB", bytes: [0xc4, 0xe2, 0x6d, 0x92, 0x44, 0x98, 8], displacement: (6, 1)),
    Case(name: "vpblendvb is4", bytes: [0xc4, 0xe3, 0x71, 0x4c, 0xc2, 0x30], immediate: (5, 1)),
    Case(name: "vmovups zmm, [rax+8*64]", bytes: [0x62, 0xf1, 0x7c, 0x48, 0x10, 0x40, 8], displacement: (6, 1)),
    Case(
      name: "vpternlogd zmm, zmm, [rip+d], imm8", bytes: [0x62, 0xf3, 0x6d, 0x48, 0x25, 0x0d, 1, 2, 3, 4, 0xff],
      displacement: (6, 4), immediate: (10, 1), ripRelative: true),
    Case(name: "XOP vprotb imm8", bytes: [0x8f, 0xe8, 0x78, 0xc0, 0xc1, 3], immediate: (5, 1)),
    Case(name: "XOP bextr imm32", bytes: [0x8f, 0xea, 0x78, 0x10, 0xc1, 1, 2, 3, 4], immediate: (5, 4)),
    Case(name: "pop rax by ModRM", bytes: [0x8f, 0xc0]),
    Case(name: "lock cmpxchg", bytes: [0xf0, 0x0f, 0xb1, 0x0f]),
    Case(name: "fld [rip+d]", bytes: [0xdb, 0x2d, 1, 2, 3, 4], displacement: (2, 4), ripRelative: true),
    Case(name: "mov rax, cr0 ignores mod", bytes: [0x0f, 0x20, 0x05]),
  ]

  @Test(arguments: cases) func fields(_ example: Case) throws {
    let code = TestFile.keep(example.bytes + [0xcc])
    let found = try #require(InstructionDecoder.decode(code, at: 0))
    #expect(Int(found.length) == example.bytes.count)
    #expect((found.displacementOffset, found.displacementSize) == example.displacement)
    #expect((found.immediateOffset, found.immediateSize) == example.immediate)
    #expect(found.flow == example.flow)
    #expect(found.isRIPRelative == example.ripRelative)
    #expect(found.isRelativeBranch == example.branch)
    #expect(found.isNop == example.nop)
  }

  /// Every proper prefix of an instruction is too short, at the end of the bytes as anywhere.
  @Test(arguments: cases) func truncated(_ example: Case) {
    for count in 0..<example.bytes.count {
      let found = InstructionDecoder.decode(TestFile.keep([UInt8](example.bytes.prefix(count))), at: 0)
      // F7 D0 and the like can't be told from shorter ones only if these are instructions of their own.
      #expect(found == nil || Int(found?.length ?? 0) <= count)
      if example.bytes[0] != 0x66, example.bytes[0] != 0xf3 { #expect(found == nil) }
    }
  }

  @Test(
    arguments: [
      [0x06], [0x0e], [0x27], [0x60], [0x82, 0xc0, 0], [0x9a, 0, 0, 0, 0, 0, 0], [0xce], [0xd4, 0], [0xd6],
      [0xea, 0, 0, 0, 0, 0, 0], [0x8d, 0xc0], [0xff, 0xff], [0xfe, 0xd0], [0xf0, 0x90], [0xf0, 0x89, 0xc0],
      [0x66, 0xc5, 0xf8, 0x77], [0x48, 0xc5, 0xf8, 0x77], [0x0f, 0x04], [0x0f, 0x0f, 0xc0, 0x00],
      [0x62, 0xf9, 0x7c, 0x48, 0x10, 0x00], [0x62, 0xf1, 0x78, 0x48, 0x10, 0x00], [0xdb, 0x20], [0xd9, 0xd1],
      [0xc4, 0xe0, 0x78, 0x10, 0xc0], [0x0f, 0x38, 0xff, 0xc0], [0x0f, 0xba, 0xc0, 1],
    ] as [[UInt8]])
  func undefined(_ bytes: [UInt8]) {
    let code = TestFile.keep(bytes + [UInt8](repeating: 0, count: 15))
    #expect(InstructionDecoder.decode(code, at: 0) == nil)
  }

  @Test func atMost15Bytes() {
    let tail: [UInt8] = [0x48, 0x8b, 0x05, 1, 2, 3, 4]
    let fits = TestFile.keep([UInt8](repeating: 0x2e, count: 8) + tail)
    #expect(InstructionDecoder.decode(fits, at: 0)?.length == 15)
    let tooLong = TestFile.keep([UInt8](repeating: 0x2e, count: 9) + tail)
    #expect(InstructionDecoder.decode(tooLong, at: 0) == nil)
    #expect(InstructionDecoder.decode(fits, at: -1) == nil)
    #expect(InstructionDecoder.decode(fits, at: 15) == nil)
    #expect(InstructionDecoder.decode(fits, at: Int.max) == nil)
  }

  /// What is told of padding without the decoder is what that says.
  @Test func usualNops() {
    var known = 0
    for prefixes in 0...8 {
      for middle in [[], [0x2e]] as [[UInt8]] {
        for body in [[0x90]] + (0...255).map({ [0x0f, 0x1f, $0] }) as [[UInt8]] {
          let head = [UInt8](repeating: 0x66, count: prefixes) + middle + body
          for count in head.count...head.count + 6 {
            let code = head + [UInt8](repeating: 0, count: count - head.count)
            code.withUnsafeBytes { raw in
              let length = Bytes(raw).usualNopLength(at: 0)
              if length == 0 { return }
              known += 1
              let instruction = InstructionDecoder.decode(Bytes(raw), at: 0)
              #expect(instruction?.isNop == true && Int(instruction?.length ?? 0) == length, "\(code)")
            }
          }
        }
      }
    }
    // Nine lengths of GNU as with up to six prefixes, at least.
    #expect(known > 100)
  }
}
