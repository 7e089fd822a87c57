// fuzz-only: Sources/ELF
// fuzz-tables: .dynsym .dynstr .gnu.version .gnu.version_d .gnu.version_r

import CKernel

/// DT_VERSYM, DT_VERDEF and DT_VERNEED.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzVersions(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size > 0 else { return 0 }
  let input = Bytes(start: UnsafeRawPointer(data), count: size)
  // Counts come from the dynamic section; the readers have limits of their own.
  let count: UInt64 = input[size - 1] == 255 ? UInt64.max : UInt64(input[size - 1])
  let file = TableFile(
    input,
    [
      .init(DT_SYMTAB), .init(DT_STRTAB, DT_STRSZ), .init(DT_VERSYM), .init(DT_VERDEF), .init(DT_VERNEED),
    ], extra: [(DT_VERDEFNUM, count), (DT_VERNEEDNUM, count)])
  file.bytes.withUnsafeBytes { read(Bytes($0)) }
  return 0
}

private func read(_ bytes: Bytes) {
  guard let file = try? ObjectFile(bytes), let versions = file.versions else { return }
  precondition(versions.needs.count <= 32768 && versions.definitions.count <= 32768 && versions.limit <= 32768)
  let wanted = Array((versions.needs + versions.definitions).prefix(4)).map(Optional.init) + [nil]
  for index in 0..<min(file.symbols.limit, 200) {
    let version = versions.version(of: index)
    for other in wanted { _ = versions.satisfies(index, other) }
    // A definition with a version of its own satisfies who asks for it.
    if let version, !versions.isHidden(index), versions.rawIndex(of: index) ?? 0 > 1 {
      precondition(versions.satisfies(index, version))
    }
  }
  for index in 0..<versions.limit { _ = versions[index].map { $0.isSame(as: SymbolVersion(named: $0.name)) } }
}
