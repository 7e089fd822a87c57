// fuzz-only: Sources/ELF Sources/Bean Sources/LoaderCore
// fuzz-tables: .dynsym .dynstr .gnu.hash .gnu.version .gnu.version_d .rela.dyn .rela.plt .relr.dyn

import CKernel

/// Relocations of every kind, read and applied: to a copy of the object in memory, whose tables they may change under
/// way. Nothing outside of it may be touched.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRelocations(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size > 0 else { return 0 }
  let input = Bytes(start: UnsafeRawPointer(data), count: size)
  let flags = UInt64(input[size - 1])
  var extra: [(Int32, UInt64)] = [(DT_VERDEFNUM, 8), (DT_PLTREL, UInt64(DT_RELA)), (DT_FLAGS, flags & 0x1e)]
  if flags & 1 != 0 { extra.append((DT_PLTGOT, 64)) }
  if flags & 0x40 != 0 { extra.append((DT_RELACOUNT, 3)) }
  let file = TableFile(
    input,
    [
      .init(DT_SYMTAB), .init(DT_STRTAB, DT_STRSZ), .init(DT_GNU_HASH), .init(DT_VERSYM), .init(DT_VERDEF),
      .init(DT_RELA, DT_RELASZ), .init(DT_JMPREL, DT_PLTRELSZ), .init(DT_RELR, DT_RELRSZ),
    ], extra: extra)
  let memory = UnsafeMutableRawPointer.allocate(byteCount: file.bytes.count, alignment: 16)
  defer { memory.deallocate() }
  file.bytes.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
  apply(Bytes(start: memory, count: file.bytes.count), isTLSStatic: flags & 0x20 != 0, isMany: flags & 0x80 != 0)
  return 0
}

private func apply(_ bytes: Bytes, isTLSStatic: Bool, isMany: Bool) {
  guard let header = try? FileHeader(bytes), let segments = try? Segments(bytes, header),
    let object = try? LoadedObject(
      role: .library, path: Path("fuzzed"), name: [], bias: bytes.memoryAddress, segments: segments,
      image: Image(mapping: bytes, segments: segments), status: nil)
  else { return }
  if isTLSStatic { object.tlsOffset = 64 } else { object.tlsModule = 4096 }
  let context = FuzzedContext(object)
  if isMany { context.scope.prepareLookUps(references: 1000) }
  var relocator = Relocator(object, context)
  do throws(LoadError) { try relocator.relocate() } catch { _ = error.message.bytes.count }
  for copy in relocator.deferred.copies {
    precondition(copy.target >= bytes.memoryAddress)
    precondition(copy.target + copy.count <= bytes.memoryAddress + UInt64(bytes.count))
  }
  for word in relocator.deferred.indirect {
    precondition(word.slot >= bytes.memoryAddress && word.slot + 8 <= bytes.memoryAddress + UInt64(bytes.count))
  }
}

/// The object is all that there is.
private final class FuzzedContext: RelocationContext {
  let scope = Scope()

  init(_ object: LoadedObject) { scope.append(object) }

  func definition(
    of name: SymbolName, version: SymbolVersion?, from object: LoadedObject, excluding: Scope.Exclusion
  ) -> Definition? { scope.find(name, version: version, excluding: excluding) }

  func uniqueDefinition(_ found: Definition, _ name: Bytes) -> Definition { found }
  func interposer(for name: Bytes) -> UInt64? { name == Bytes("dlopen") ? 16 : nil }
  func resolveHostFunction(at resolver: UInt64) -> UInt64? { resolver }
  var lookupRun: LookupRun? { scope.run }
  var lookupRunIsComplete: Bool { true }
  var tlsBase: UInt64 { 0 &- 4096 }
  var tlsDescriptorResolver: UInt64 { 32 }
  var dynamicTLSDescriptorResolver: UInt64 { 48 }
  var missingFunctionHandler: UInt64? { 64 }
}
