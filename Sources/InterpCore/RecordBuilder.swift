import ELF

/// Writes what `InterpreterRecord` reads.
struct RecordBuilder {
  struct Patch {
    let offset: UInt64
    /// What stands there before the change.
    let bytes: [UInt8]
  }

  /// Without NUL.
  let original: [UInt8]
  var originalSize: UInt64 = 0
  var originalHash: UInt64 = 0
  var addedOffset: UInt64 = 0
  var addedCount = 0
  var patches: [Patch] = []

  var size: Int {
    patches.reduce(original.count + 1 + InterpreterRecord.footerSize) {
      $0 + InterpreterRecord.patchHeaderSize + $1.bytes.count
    }
  }

  /// The content of PT_INTERP: path, NUL, zeros, record.
  func area(path: [UInt8], size total: Int) -> [UInt8] {
    var area = path.padded(to: max(total - size, path.count + 1)) + original + [0]
    for patch in patches {
      area.append(patch.offset)
      area.append(UInt32(truncatingIfNeeded: patch.bytes.count))
      area += patch.bytes
    }
    area.append(originalSize)
    area.append(originalHash)
    area.append(addedOffset)
    area.append(UInt32(truncatingIfNeeded: addedCount))
    area.append(UInt32(truncatingIfNeeded: patches.count))
    area.append(UInt32(truncatingIfNeeded: size))
    area.append(InterpreterRecord.version)
    return area + Bytes(InterpreterRecord.magic).copy()
  }

  /// The same with the short record; nil where the original has no code or the space does not do.
  static func shortArea(path: [UInt8], original: [UInt8], size: Int) -> [UInt8]? {
    guard let code = original.withELFBytes({ InterpreterRecord.code(of: $0) }),
      path.count + 1 + InterpreterRecord.shortSize <= size
    else { return nil }
    let head = path.padded(to: size - InterpreterRecord.shortSize)
    return head + Bytes(InterpreterRecord.shortMagic).copy() + [code, 0]
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ value: some FixedWidthInteger & BitwiseCopyable) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
