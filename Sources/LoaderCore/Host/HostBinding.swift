import CKernel

/// Host objects were bound before the program's objects could serve them. What the program defines ahead of the
/// host (malloc of an allocator library, and the like) replaces the host's own choice afterwards.
extension Program {
  func rebindHost() {
    // The C library's hundred and more references to itself: hardly any program defines one of those names.
    let filters = scope.objects.filter { $0.role != .host }.map { $0.filter }
    for object in hostObjects { rebind(object, filters) }
  }

  /// `filters`: what the program's objects define.
  private func rebind(_ object: LoadedObject, _ filters: [BloomFilter]) {
    guard
      let tables = try? [
        RelocationTable(object.image, object.dynamic.rela),
        RelocationTable(object.image, object.dynamic.pltRelocations),
      ]
    else { return }
    var writes: [(slot: UInt64, value: UInt64)] = []
    for table in tables {
      for index in 0..<table.count {
        let relocation = table[index]
        guard let value = programDefinition(for: relocation, of: object, filters) else { continue }
        writes.append((object.bias &+ relocation.offset, value))
      }
    }
    if writes.isEmpty { return }
    withWritableRELRO(of: object) {
      for write in writes { ProcessMemory.storeAtomically(write.value, at: write.slot) }
    }
  }

  /// The program's definition for a symbolic relocation of a host object; nil where the host's own comes first. An
  /// executable that takes a function's address has an entry for it in its PLT, which is no definition.
  private func programDefinition(
    for relocation: Relocation, of object: LoadedObject, _ filters: [BloomFilter]
  ) -> UInt64? {
    switch Int32(truncatingIfNeeded: relocation.type) {
    case R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT, R_X86_64_64: break
    default: return nil
    }
    guard relocation.symbolIndex != 0, relocation.offset & 7 == 0,
      let segment = object.image.segment(at: relocation.offset), segment.isWritable,
      let symbol = object.symbols[relocation.symbolIndex], !symbol.isLocal,
      symbol.isUndefined || symbol.visibility == STV_DEFAULT, let name = object.symbols.hashedName(of: symbol),
      filters.contains(where: { $0.mayContain(name.gnuHash) }),
      let found = scope.find(
        name, version: object.versions.version(of: relocation.symbolIndex), excluding: .pltEntries),
      found.object.role != .host, !found.symbol.isTLS
    else { return nil }
    let address = found.symbol.isIFunc ? ForeignCall.word(found.address) : found.address
    let addend = relocation.type == UInt32(R_X86_64_64) ? UInt64(bitPattern: relocation.addend) : 0
    return address &+ addend
  }

  /// RELRO pages are writable for `body` and read-only again afterwards. Other threads only read them.
  func withWritableRELRO(of object: LoadedObject, _ body: () -> Void) {
    let pages = ObjectMapper.wholePages(of: object.segments.relro, bias: object.bias)
    if let pages { try? Mapping.protect(pages.start, pages.count, .readWrite) }
    body()
    if let pages { try? Mapping.protect(pages.start, pages.count, .read) }
  }
}
