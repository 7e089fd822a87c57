import CKernel

/// One relocation with explicit addend (psABI x86-64, "Relocation").
public struct Relocation {
  /// Address of the field in the object.
  public let offset: UInt64
  public let type: UInt32
  public let symbolIndex: Int
  public let addend: Int64

  public init(_ entry: Elf64_Rela) {
    offset = entry.r_offset
    type = UInt32(truncatingIfNeeded: entry.r_info)
    symbolIndex = Int(entry.r_info >> 32)
    addend = entry.r_addend
  }
}

/// A table of Elf64_Rela.
public struct RelocationTable {
  let bytes: Bytes

  public static var empty: RelocationTable { RelocationTable(bytes: .empty) }

  init(bytes: Bytes) { self.bytes = bytes }

  public init(_ image: Image, _ table: DynamicSection.Table) throws(ELFError) {
    guard table.size != 0 else {
      self.init(bytes: .empty)
      return
    }
    guard table.size % UInt64(MemoryLayout<Elf64_Rela>.size) == 0,
      let bytes = image.bytes(at: table.address, count: table.size)
    else { throw ELFError(.relocationTable, at: table.address) }
    self.init(bytes: bytes)
  }

  public var count: Int { bytes.count / MemoryLayout<Elf64_Rela>.size }

  /// The entry at `index`, which must be below `count`; an empty one (R_X86_64_NONE) otherwise.
  @inline(__always)
  public subscript(index: Int) -> Relocation {
    guard let entry = bytes.load(Elf64_Rela.self, at: index &* MemoryLayout<Elf64_Rela>.size) else {
      return Relocation(Elf64_Rela(r_offset: 0, r_info: 0, r_addend: 0))
    }
    return Relocation(entry)
  }
}

/// DT_RELR: relative relocations as a bitmap (gABI, "Relative Relocation Table").
public struct RelativeRelocationTable {
  let bytes: Bytes

  public init(_ image: Image, _ table: DynamicSection.Table) throws(ELFError) {
    guard table.size != 0 else {
      bytes = .empty
      return
    }
    guard table.size % 8 == 0, let bytes = image.bytes(at: table.address, count: table.size) else {
      throw ELFError(.relocationTable, at: table.address)
    }
    self.bytes = bytes
  }

  /// Calls `body` with the address of each word that holds an address of the object. An entry with the low bit
  /// clear is such an address; one with it set is a bitmap for the 63 words behind the last.
  @inline(__always)
  public func forEachOffset(_ body: (UInt64) throws(ELFError) -> Void) throws(ELFError) {
    var next: UInt64 = 0
    var position = 0
    while let entry = bytes.load(UInt64.self, at: position) {
      if entry & 1 == 0 {
        try body(entry)
        next = entry &+ 8
      } else {
        var bits = entry >> 1
        var address = next
        while bits != 0 {
          if bits & 1 != 0 { try body(address) }
          bits >>= 1
          address = address &+ 8
        }
        next = next &+ 63 &* 8
      }
      position += 8
    }
  }
}
