import CKernel

/// Thread-local variables at a fixed distance from the thread pointer, with initial values, for a process of several
/// threads. Only the C library knows all of them, and keeps room for this in each: its static TLS surplus. So it gets to
/// open a library that consists of the variables alone, fills the blocks of all threads, and of those to come, and says
/// by a relocation where they are.
struct HostTLSBlock {
  /// The host's handle.
  let handle: UInt64
  /// The image from which the host fills new threads' blocks.
  let image: UInt64
  /// What to add to the thread pointer (modulo 2^64).
  let distance: UInt64

  /// Offsets in the library's file, which is one loadable segment: dynamic section, symbol table (the empty symbol),
  /// DT_HASH, one relocation, an empty string, the word that the relocation fills, and the initial values.
  private struct Plan {
    let segment: TLSSegment
    var dynamic: UInt64 { 64 + 4 * 56 }
    var symbols: UInt64 { dynamic + 10 * 16 }
    var hash: UInt64 { symbols + 24 }
    var relocation: UInt64 { hash + 16 }
    var strings: UInt64 { relocation + 24 }
    var word: UInt64 { strings + 8 }
    /// Congruent to the address in the object that the variables are of, modulo their alignment.
    var image: UInt64 {
      let mask = segment.alignment - 1
      return ((word + 8 + mask) & ~mask) + (segment.address & mask)
    }
    var size: UInt64 { image + segment.fileSize }
  }

  /// e_entry, by which these libraries are known among the host's.
  static var mark: UInt64 { 0x0053_4c54_6963_754c }

  /// `serial` makes the name one that the host has not seen: it takes names for files.
  init(_ segment: TLSSegment, content: UInt64, host: HostCalls, serial: Int) throws(Errno) {
    let plan = Plan(segment: segment)
    guard host.dlopen != 0 else { throw Errno(ENOSYS) }
    let memory = try Mapping.anonymous(plan.size, .readWrite)
    defer { Mapping.unmap(memory, plan.size) }
    HostTLSBlock.write(plan, at: memory)
    ProcessMemory.copy(from: content, to: memory + plan.image, count: segment.fileSize)
    let file = try FileDescriptor.inMemory(named: Path("luci-tls"))
    defer { file.close() }
    try file.writeAll(ProcessMemory.bytes(at: memory, count: plan.size))
    var name = Text("/proc/self/fd/")
    // Another name for the same place each time: the number in binary, made of steps that lead nowhere.
    for bit in 0..<32 { name.append(serial >> bit & 1 == 0 ? "./" : ".//") }
    name.append(decimal: Int(file.number))
    let handle = Path(name).withCString { ForeignCall.word(host.dlopen, UInt64(UInt(bitPattern: $0)), 2) }
    guard handle != 0 else { throw Errno(ENOMEM) }
    // The handle is a link_map, which begins with l_addr.
    let bias = ProcessMemory.load(UInt64.self, at: handle)
    self.handle = handle
    image = bias &+ plan.image
    distance = ProcessMemory.load(UInt64.self, at: bias &+ plan.word)
  }

  private static func write(_ plan: Plan, at memory: UInt64) {
    var header = Elf64_Ehdr()
    header.e_ident = (0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    header.e_type = UInt16(ET_DYN)
    header.e_machine = UInt16(EM_X86_64)
    header.e_version = 1
    header.e_entry = mark
    header.e_phoff = 64
    header.e_ehsize = 64
    header.e_phentsize = 56
    header.e_phnum = 4
    ProcessMemory.store(header, at: memory)
    writeSegments(plan, at: memory + 64)
    let entries: [(Int32, UInt64)] = [
      (DT_STRTAB, plan.strings), (DT_STRSZ, 1), (DT_SYMTAB, plan.symbols), (DT_SYMENT, 24), (DT_HASH, plan.hash),
      (DT_RELA, plan.relocation), (DT_RELASZ, 24), (DT_RELAENT, 24), (DT_FLAGS, UInt64(DF_STATIC_TLS)), (DT_NULL, 0),
    ]
    for (index, entry) in entries.enumerated() {
      ProcessMemory.store(Int64(entry.0), at: memory + plan.dynamic + UInt64(index) * 16)
      ProcessMemory.store(entry.1, at: memory + plan.dynamic + UInt64(index) * 16 + 8)
    }
    // One bucket, one symbol.
    ProcessMemory.store(UInt64(1 << 32 | 1), at: memory + plan.hash)
    ProcessMemory.store(
      Elf64_Rela(r_offset: plan.word, r_info: UInt64(R_X86_64_TPOFF64), r_addend: 0), at: memory + plan.relocation)
  }

  private static func writeSegments(_ plan: Plan, at start: UInt64) {
    var position = start
    func put(_ type: Int32, _ offset: UInt64, _ fileSize: UInt64, _ memorySize: UInt64, _ alignment: UInt64) {
      var header = Elf64_Phdr()
      header.p_type = UInt32(type)
      header.p_flags = UInt32(PF_R | PF_W)
      header.p_offset = offset
      header.p_vaddr = offset
      header.p_paddr = offset
      header.p_filesz = fileSize
      header.p_memsz = memorySize
      header.p_align = alignment
      ProcessMemory.store(header, at: position)
      position += 56
    }
    put(PT_LOAD, 0, plan.size, plan.size, Segments.pageSize)
    put(PT_DYNAMIC, plan.dynamic, 10 * 16, 10 * 16, 8)
    put(PT_TLS, plan.image, plan.segment.fileSize, plan.segment.memorySize, plan.segment.alignment)
    put(PT_GNU_STACK, 0, 0, 0, 16)
  }

  /// Whether the host's object at this load address is such a library.
  static func isOne(at bias: UInt64, programHeaders: UInt64) -> Bool {
    programHeaders == bias &+ 64 && ProcessMemory.load(UInt64.self, at: bias &+ 24) == mark
  }
}

extension Program {
  /// Gives an object's variables a place in the C library's surplus.
  func takeSurplus(for segment: TLSSegment, of object: LoadedObject) throws(LoadError) {
    do throws(Errno) {
      hostTLSCount += 1
      // musl has none, and no program that is linked for it expects any.
      guard graph.muslLoader == nil else { throw Errno(ENOSYS) }
      let block = try HostTLSBlock(
        segment, content: object.bias &+ segment.address, host: host, serial: hostTLSCount)
      object.hostTLS = block
      object.tlsOffset = block.distance &+ tls.size
    } catch {
      throw LoadError(.staticTLSExhausted, object.path)
    }
  }

  /// The initial values of an object that is relocated now: where the host's differ, it has to take them over. It gives
  /// the place that was freed last again; if not, the library can't be opened, since its code is bound to the place.
  func fillSurplus(of object: LoadedObject) throws(LoadError) {
    guard let block = object.hostTLS, let segment = object.segments.tls else { return }
    let content = ProcessMemory.bytes(at: object.bias &+ segment.address, count: segment.fileSize)
    if ProcessMemory.bytes(at: block.image, count: segment.fileSize) == content { return }
    giveSurplusBack(of: object)
    try takeSurplus(for: segment, of: object)
    guard object.hostTLS?.distance == block.distance else { throw LoadError(.staticTLSExhausted, object.path) }
  }

  func giveSurplusBack(of object: LoadedObject) {
    guard let block = object.hostTLS else { return }
    _ = closeInHost(block.handle)
    object.hostTLS = nil
  }
}
