import CKernel

/// Thread-local variables (psABI x86-64, "Thread-Local Storage"; DESIGN, section 2).
///
/// Those of the objects that the program starts with lie in module 1, the merged segment. An object that is opened
/// later has a module of its own, unless its code expects a fixed distance from the thread pointer.
extension Relocator {
  mutating func applyTLS(_ relocation: Relocation) throws(LoadError) {
    let addend = UInt64(bitPattern: relocation.addend)
    let target = try resolve(relocation, excluding: [])
    let owner = relocation.symbolIndex == 0 ? object : target.definition?.object
    let variable = (target.definition?.symbol.value ?? 0) &+ addend
    guard let owner else { return try storeTLS(relocation, nil, offset: addend) }
    if owner.tlsOffset == nil, owner.tlsModule != 0 {
      return try storeDynamicTLS(relocation, module: owner.tlsModule, offset: variable)
    }
    guard let block = owner.tlsOffset else {
      throw LoadError(.staticTLSExhausted, object.path, position: relocation.offset)
    }
    try storeTLS(relocation, block, offset: block &+ variable)
  }

  /// In the merged segment; `block` nil: an undefined weak variable, whose address is 0 as far as code can ask.
  private func storeTLS(_ relocation: Relocation, _ block: UInt64?, offset: UInt64) throws(LoadError) {
    let distance = block == nil ? 0 : offset &+ context.tlsBase
    switch Int32(truncatingIfNeeded: relocation.type) {
    case R_X86_64_DTPMOD64:
      let field = try place(relocation, size: 16)
      ProcessMemory.store(UInt64(1), at: field)
      // Without a symbol there is no DTPOFF64 beside it: the word behind holds the offset within the module,
      // to which the object's place in the merged segment is added.
      if relocation.symbolIndex == 0 {
        let inner = ProcessMemory.load(UInt64.self, at: field + 8)
        ProcessMemory.store(inner &+ (block ?? 0), at: field + 8)
      }
    case R_X86_64_DTPOFF64: ProcessMemory.store(offset, at: try place(relocation, size: 8))
    case R_X86_64_TPOFF64: ProcessMemory.store(distance, at: try place(relocation, size: 8))
    case R_X86_64_TPOFF32, R_X86_64_DTPOFF32:
      let value = relocation.type == UInt32(R_X86_64_TPOFF32) ? distance : offset
      ProcessMemory.store(UInt32(truncatingIfNeeded: value), at: try place(relocation, size: 4))
    default:
      let field = try place(relocation, size: 16)
      ProcessMemory.store(context.tlsDescriptorResolver, at: field)
      ProcessMemory.store(distance, at: field + 8)
    }
  }

  /// In a module of Luci's own.
  private func storeDynamicTLS(_ relocation: Relocation, module: UInt64, offset: UInt64) throws(LoadError) {
    switch Int32(truncatingIfNeeded: relocation.type) {
    case R_X86_64_DTPMOD64: ProcessMemory.store(module, at: try place(relocation, size: 8))
    case R_X86_64_DTPOFF64: ProcessMemory.store(offset, at: try place(relocation, size: 8))
    case R_X86_64_DTPOFF32:
      ProcessMemory.store(UInt32(truncatingIfNeeded: offset), at: try place(relocation, size: 4))
    case R_X86_64_TLSDESC:
      let field = try place(relocation, size: 16)
      ProcessMemory.store(context.dynamicTLSDescriptorResolver, at: field)
      ProcessMemory.store(object.makeTLSDescriptor(module: module, offset: offset), at: field + 8)
    default:
      // A fixed distance from the thread pointer, to a variable that has none.
      throw LoadError(.staticTLSExhausted, object.path, position: relocation.offset)
    }
  }
}
