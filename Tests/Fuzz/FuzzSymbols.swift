// fuzz-only: Sources/ELF
// fuzz-tables: .dynsym .dynstr .gnu.hash .hash

import CKernel

/// Symbols, names and both kinds of hash table. Whatever a look-up offers lies in the table it searches, it ends, and
/// the bloom filter lets everything pass that is there.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSymbols(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  let file = TableFile(
    Bytes(start: UnsafeRawPointer(data), count: size),
    [.init(DT_SYMTAB), .init(DT_STRTAB, DT_STRSZ), .init(DT_GNU_HASH), .init(DT_HASH)])
  file.bytes.withUnsafeBytes { read(Bytes($0)) }
  return 0
}

private func read(_ bytes: Bytes) {
  guard let file = try? ObjectFile(bytes), let dynamic = file.dynamic else { return }
  let names = (0..<min(file.symbols.limit, 64)).compactMap { index in
    file.symbols[index].flatMap { file.symbols.name(of: $0) }
  }
  _ = try? file.dynamicSymbolCount()
  for index in 0..<min(file.symbols.limit, 1000) {
    guard let symbol = file.symbols[index], let name = file.symbols.hashedName(of: symbol) else { continue }
    precondition(name.bytes == file.symbols.name(of: symbol) && file.symbols.matches(symbol, name.bytes))
    precondition(name.gnuHash == SymbolName(name.bytes).gnuHash)
  }
  if let address = dynamic.gnuHash, let table = try? GNUHashTable(file.image, at: address) {
    _ = table.symbolCount()
    table.forEachHash(below: 100_000) { index, _ in precondition(index < 100_000) }
    for name in names {
      var steps = 0
      table.forEachFiltered(SymbolName(name).gnuHash) { _ in
        steps += 1
        return false
      }
      precondition(steps <= bytes.count)
    }
  }
  if let address = dynamic.sysvHash, let table = try? SysVHashTable(file.image, at: address) {
    for name in names {
      var steps: UInt32 = 0
      table.forEachCandidate(name) { index in
        precondition(index > 0 && index < Int(table.chainCount))
        steps += 1
        return false
      }
      precondition(steps <= table.chainCount)
    }
  }
}
