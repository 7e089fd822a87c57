import CKernel

/// Thread-local variables of objects that dlopen brings.
extension Program {
  /// An object gets a TLS module of its own. Only where code expects a fixed distance from the thread pointer
  /// (initial-exec) its variables come from the reserve in every thread's block.
  func placeTLS(of objects: [LoadedObject]) throws(LoadError) {
    var isStatic: [LoadedObject] = []
    for object in objects where object.dynamic.hasStaticTLS { try noteStaticTLS(of: object, &isStatic) }
    for object in objects {
      guard let segment = object.segments.tls, segment.memorySize > 0 else { continue }
      if isStatic.contains(where: { $0 === object }) {
        try takeReserve(for: segment, of: object)
      } else {
        object.tlsModule = tlsModules.add(segment, image: object.bias &+ segment.address)
      }
    }
  }

  /// The objects whose variables `object` reaches at a fixed distance: itself, or others it was linked with.
  private func noteStaticTLS(of object: LoadedObject, _ isStatic: inout [LoadedObject]) throws(LoadError) {
    let table: RelocationTable
    do throws(ELFError) { table = try RelocationTable(object.image, object.dynamic.rela) } catch {
      throw LoadError(.malformed(error), object.path)
    }
    for index in 0..<table.count {
      let relocation = table[index]
      guard relocation.type == UInt32(R_X86_64_TPOFF64) || relocation.type == UInt32(R_X86_64_TPOFF32) else {
        continue
      }
      var owner: LoadedObject? = object
      if let symbol = object.symbols[relocation.symbolIndex], relocation.symbolIndex != 0, !symbol.isLocal {
        let version = object.versions.version(of: relocation.symbolIndex)
        owner = object.symbols.name(of: symbol).flatMap {
          definition(of: SymbolName($0), version: version, from: object, excluding: [])?.object
        }
      }
      guard let owner, !isStatic.contains(where: { $0 === owner }) else { continue }
      isStatic.append(owner)
    }
  }

  /// Luci can't fill other threads' blocks: for an object with initial values other than zero the C library has to, if
  /// there are others; and where the reserve is used up.
  private func takeReserve(for segment: TLSSegment, of object: LoadedObject) throws(LoadError) {
    let isZero = segment.fileSize == 0
    guard isZero || Process.programThreadCount(helpers: helperCount) == 1, let offset = tls.takeReserve(for: segment)
    else { return try takeSurplus(for: segment, of: object) }
    object.tlsOffset = offset
  }

  // MARK: Where variables are

  private var tableWord: UInt64 { tlsBlock &+ TLSLayout.tableWord }

  /// For tls.S: the calling thread's block of a module, counted from 0.
  public func makeTLSBlock(_ index: UInt64) -> UInt64 {
    let pointer = Process.threadPointer
    return tlsModules.block(index, threadPointer: pointer, word: pointer &- tls.size &+ TLSLayout.tableWord)
  }

  /// The calling thread's variable.
  func tlsAddress(of object: LoadedObject, offset: UInt64) -> UInt64 {
    if let block = object.tlsOffset { return tlsBlock &+ block &+ offset }
    guard object.tlsModule != 0 else { return 0 }
    return makeTLSBlock(object.tlsModule &- TLSModules.firstModule) &+ offset
  }

  /// 1: the merged segment; 0: the object has no thread-local variables.
  func tlsModule(of object: LoadedObject) -> UInt64 { object.tlsOffset == nil ? object.tlsModule : 1 }

  /// The calling thread's block, 0 if it has none so far.
  func existingTLSBlock(of object: LoadedObject) -> UInt64 {
    if let block = object.tlsOffset { return tlsBlock &+ block }
    return object.tlsModule == 0 ? 0 : tlsModules.existingBlock(object.tlsModule, word: tableWord)
  }
}
