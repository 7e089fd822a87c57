import CKernel

/// LD_BIND_NOT: a lazily bound function is looked up at each call.
extension Program {
  /// What the PLT entry of relocation `index` leads to; 0: no object defines it. Indirect functions choose each time.
  public func lookUpCall(_ linkMap: UInt64, _ index: UInt64) -> UInt64 {
    lock.lock()
    defer { lock.unlock() }
    guard let object = registry.objects.first(where: { $0.linkMap == linkMap }),
      let table = try? RelocationTable(object.image, object.dynamic.pltRelocations), index < UInt64(table.count)
    else { return 0 }
    var relocator = Relocator(object, self)
    guard let found = try? relocator.resolve(table[Int(index)], excluding: .pltEntries) else { return 0 }
    return found.isIndirect ? ForeignCall.word(found.address) : found.address
  }
}
