import CKernel

/// The dynamic relocations of an object (DT_RELA, DT_JMPREL, DT_RELR) by address.
public struct RelocationIndex {
  public struct Entry {
    /// Address of the field.
    public let address: UInt64
    public let addend: Int64
    public let type: UInt32
    /// Index in the dynamic symbol table; 0: no symbol.
    public let symbol: UInt32
  }

  /// Sorted by address.
  public let entries: [Entry]

  /// Every field takes eight bytes of the file or of .bss: a table with more entries than the object has words is
  /// broken (a DT_RELR bitmap could grow to 190 times its size), and `relocationTable` is thrown.
  public init(_ file: ObjectFile) throws(ELFError) {
    guard let dynamic = file.dynamic else {
      entries = []
      return
    }
    let limit = file.bytes.count / 8 + 64
    var found: [Entry] = []
    try RelocationIndex.append(&found, try RelocationTable(file.image, dynamic.rela), limit)
    let table = try RelativeRelocationTable(file.image, dynamic.relr)
    let image = file.image
    try table.forEachOffset { (address) throws(ELFError) in
      guard found.count < limit else { throw ELFError(.relocationTable, at: address) }
      let addend = image.load(Int64.self, at: address) ?? 0
      found.append(Entry(address: address, addend: addend, type: UInt32(R_X86_64_RELATIVE), symbol: 0))
    }
    try RelocationIndex.append(&found, try RelocationTable(file.image, dynamic.pltRelocations), limit)
    found.sort { $0.address < $1.address }
    entries = found
  }

  private static func append(
    _ found: inout [Entry], _ table: RelocationTable, _ limit: Int
  ) throws(ELFError) {
    guard found.count + table.count <= limit else { throw ELFError(.relocationTable, at: 0) }
    found.reserveCapacity(found.count + table.count)
    for index in 0..<table.count {
      let relocation = table[index]
      if relocation.type == UInt32(R_X86_64_NONE) { continue }
      found.append(
        Entry(
          address: relocation.offset, addend: relocation.addend, type: relocation.type,
          symbol: UInt32(truncatingIfNeeded: relocation.symbolIndex)))
    }
  }

  /// Index of the first entry at or behind `address`.
  public func lowerBound(_ address: UInt64) -> Int {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].address < address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The relocation of the field at exactly `address`.
  public func entry(at address: UInt64) -> Entry? {
    let index = lowerBound(address)
    guard index < entries.count, entries[index].address == address else { return nil }
    return entries[index]
  }

  public var hasIndirectFunctions: Bool {
    entries.contains { $0.type == UInt32(R_X86_64_IRELATIVE) }
  }
}
