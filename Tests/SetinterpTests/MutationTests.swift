import Foundation
import Testing

@testable import InterpCore

/// Broken and hostile files: an error or a result, never a trap.
@Suite struct MutationTests {
  /// xorshift64*: the same sequence in every run.
  struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return state &* 0x2545_f491_4f6c_dd1d
    }
  }

  private func tryAll(_ bytes: [UInt8]) {
    _ = try? InterpreterEditor.interpreter(of: bytes)
    _ = try? InterpreterEditor.original(of: bytes)
    _ = try? InterpreterEditor.restore(bytes)
    for path in ["/s", "/a/path/that/is/longer/than/what/was/there"] {
      guard let change = try? InterpreterEditor.set(bytes, to: path.bytes) else { continue }
      #expect((try? InterpreterEditor.interpreter(of: change.bytes)) == path.bytes)
    }
  }

  private func originals() throws -> [[UInt8]] {
    let workshop = try Workshop()
    var files: [[UInt8]] = []
    for flags in ["-s", "-s -no-pie -fuse-ld=lld"] {
      guard let path = try workshop.compile(flags) else { continue }
      let bytes = try workshop.read(path)
      files.append(bytes)
      for path in ["/short", "/a/path/that/is/longer/than/what/was/there"] {
        files.append(try InterpreterEditor.set(bytes, to: path.bytes).bytes)
      }
      files.append(try InterpreterEditor.set(bytes + [1, 2, 3], to: "/a/path/that/is/longer/than/that".bytes).bytes)
    }
    #expect(!files.isEmpty)
    return files
  }

  @Test func truncated() throws {
    for file in try originals() {
      for length in Array(stride(from: 0, to: 1024, by: 13)) + Array(stride(from: 1024, to: file.count, by: 997)) {
        tryAll(Array(file.prefix(length)))
      }
    }
  }

  /// Single values of the header, the program headers, the section headers and the record.
  @Test func mutated() throws {
    var generator = Generator(state: 0x9e37_79b9_7f4a_7c15)
    let values: [UInt64] = [
      0, 1, 7, 63, 0xfff, 0x1000, 0x7fff_ffff, 0xffff_ffff, 1 << 47, UInt64(Int64.max), 1 << 63, .max - 4095, .max,
    ]
    for file in try originals() {
      let program = try Program(file)
      let record = Int(program.interpreter.p_offset)
      let ranges = [
        0..<64, 64..<64 + 56 * Int(program.header.e_phnum), record..<record + program.area.count,
        Int(program.header.e_shoff)..<min(Int(program.header.e_shoff) + 64 * 30, file.count),
      ]
      for _ in 0..<400 {
        var bytes = file
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          guard let range = ranges.randomElement(using: &generator), !range.isEmpty else { continue }
          let place = Int.random(in: range, using: &generator)
          let value = values.randomElement(using: &generator) ?? generator.next()
          let size = [1, 2, 4, 8].randomElement(using: &generator) ?? 1
          let aligned = place & ~(size - 1)
          for index in 0..<size where aligned + index < bytes.count {
            bytes[aligned + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
          }
        }
        tryAll(bytes)
      }
    }
  }
}
