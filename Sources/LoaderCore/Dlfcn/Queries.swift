import CKernel

/// dladdr(3), dladdr1(3), dlinfo(3), dl_iterate_phdr(3), _dl_find_object.
extension Program {
  /// Fills a Dl_info (dli_fname, dli_fbase, dli_sname, dli_saddr). False: the address is not the program's.
  public func describe(_ address: UInt64, info: UInt64, extra: UInt64, flags: Int32) -> Bool {
    let asked = address
    let address = entryStubs.target(of: asked) ?? asked
    guard let object = registry.object(containing: address) else { return false }
    let nearest = nearestSymbol(object, address)
    ProcessMemory.store(object === executable ? programNameAddress : LinkMaps.name(object.linkMap), at: info)
    ProcessMemory.store(object.memoryRange.start, at: info + 8)
    ProcessMemory.store(nearest?.name ?? 0, at: info + 16)
    // What dlsym gave out for a function is its address for the program.
    let isStub = asked != address && nearest?.address == address
    ProcessMemory.store(isStub ? asked : nearest?.address ?? 0, at: info + 24)
    if extra != 0 {
      if flags == 1 { ProcessMemory.store(nearest?.entry ?? 0, at: extra) }
      if flags == 2 { ProcessMemory.store(object.linkMap, at: extra) }
    }
    return true
  }

  private var programNameAddress: UInt64 { programStack.arguments.first ?? LinkMaps.name(executable.linkMap) }

  struct NearestSymbol {
    let name: UInt64
    let address: UInt64
    let entry: UInt64
  }

  /// The exported symbol that covers the address, or the nearest below it without a size.
  private func nearestSymbol(_ object: LoadedObject, _ address: UInt64) -> NearestSymbol? {
    let wanted = address &- object.bias
    var best: (index: Int, symbol: Symbol)?
    let count = object.gnuHash?.symbolCount() ?? Int(object.sysvHash?.chainCount ?? 0)
    for index in 1..<max(count, 1) {
      guard let symbol = object.symbols[index], !symbol.isUndefined, !symbol.isTLS, symbol.value <= wanted else {
        continue
      }
      guard symbol.size == 0 ? symbol.value <= wanted : wanted - symbol.value < symbol.size else { continue }
      if let best, best.symbol.value >= symbol.value { continue }
      best = (index, symbol)
    }
    guard let best, let name = object.symbols.name(of: best.symbol) else { return nil }
    return NearestSymbol(
      name: name.memoryAddress, address: object.bias &+ best.symbol.value,
      entry: object.bias &+ object.dynamic.symbols &+ UInt64(best.index * MemoryLayout<Elf64_Sym>.size))
  }

  /// dlinfo(3) for objects of the program; nil: not one of them.
  public func information(_ handle: UInt64, request: Int32, result: UInt64) -> Int32? {
    guard let object = object(forHandle: handle) else { return nil }
    switch request {
    case 1: ProcessMemory.store(Int64(0), at: result)
    case 2: ProcessMemory.store(object.linkMap, at: result)
    case 4:
      guard SearchInfo(search, for: object).write(to: result) else {
        setError(Text("dlinfo: the search path has grown"))
        return -1
      }
    case 5: SearchInfo(search, for: object).writeSize(to: result)
    case 6:
      let directory = object === executable ? search.origin : object.path.directory
      directory.withCString { name in
        ProcessMemory.copy(from: UInt64(UInt(bitPattern: name)), to: result, count: UInt64(directory.count) + 1)
      }
    case 9: ProcessMemory.store(tlsModule(of: object), at: result)
    case 10: ProcessMemory.store(existingTLSBlock(of: object), at: result)
    case 11:
      ProcessMemory.store(object.programHeaders, at: result)
      return Int32(truncatingIfNeeded: object.programHeaderCount)
    default:
      setError(Text("unsupported dlinfo request"))
      return -1
    }
    return 0
  }

  /// Calls `callback` with a dl_phdr_info for each image of the program, old versions included: unwinders must
  /// find them. The host's are added by the caller. Ends at the first result other than 0.
  public func iterate(_ callback: UInt64, _ data: UInt64) -> Int32 {
    registry.beginWalk()
    defer { registry.endWalk() }
    let table = registry.current
    // dlpi_addr, dlpi_name, dlpi_phdr, dlpi_phnum, dlpi_adds, dlpi_subs, dlpi_tls_modid, dlpi_tls_data.
    var info: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    for object in table.inOrder {
      info = (
        object.bias, LinkMaps.name(object.linkMap), object.programHeaders, object.programHeaderCount,
        table.additions, table.removals, tlsModule(of: object), existingTLSBlock(of: object)
      )
      let result = withUnsafeMutablePointer(to: &info) {
        ForeignCall.word(callback, UInt64(UInt(bitPattern: $0)), 64, data)
      }
      if Int32(truncatingIfNeeded: result) != 0 { return Int32(truncatingIfNeeded: result) }
    }
    return 0
  }

  /// Fills a struct dl_find_object (glibc's <bits/dl_find_object.h>). Takes no lock and no memory.
  public func findObject(_ address: UInt64, result: UInt64) -> Bool {
    guard let object = registry.object(containing: address), let table = object.segments.ehFrameHeader else {
      return false
    }
    ProcessMemory.store(UInt64(0), at: result)
    ProcessMemory.store(object.memoryRange.start, at: result + 8)
    ProcessMemory.store(object.memoryRange.end, at: result + 16)
    ProcessMemory.store(object.linkMap, at: result + 24)
    ProcessMemory.store(object.bias &+ table.start, at: result + 32)
    return true
  }
}
