// libFuzzer target: everything that reads a file. Build and run with `tools/fuzz FuzzObjectFile`.

/// Looks at `size` bytes at `data` as an object file, to the last table. Errors are what most inputs end in;
/// only a trap, a bad access, too much memory or too much time is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzObjectFile(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  let bytes = Bytes(start: UnsafeRawPointer(data), count: size)
  let file: ObjectFile
  do throws(ELFError) { file = try ObjectFile(bytes) } catch { return 0 }
  var sink: UInt64 = 0
  readSections(file, &sink)
  readSymbols(file, &sink)
  readRelocations(file, &sink)
  readFunctions(file, &sink)
  // Keeps what was read from being optimised away; there is no such value.
  return sink == 0x1234_5678_9abc_def0 ? -1 : 0
}

private func readSections(_ file: ObjectFile, _ sink: inout UInt64) {
  sink &+= UInt64(file.interpreter?.count ?? 0) &+ UInt64(file.soname?.count ?? 0)
  do throws(ELFError) {
    let sections = try file.sections()
    for section in sections.all.prefix(1000) {
      sink &+= UInt64(sections.containing(section.address)?.name.count ?? 0)
    }
    if let table = file.staticSymbols(sections) {
      for index in 0..<table.limit { sink &+= table[index]?.value ?? 0 }
    }
  } catch { sink &+= error.offset }
}

private func readSymbols(_ file: ObjectFile, _ sink: inout UInt64) {
  guard let dynamic = file.dynamic else { return }
  do throws(ELFError) {
    let count = try file.dynamicSymbolCount()
    let names = [SymbolName("malloc"), SymbolName("f"), SymbolName("")]
    if let address = dynamic.gnuHash {
      let table = try GNUHashTable(file.image, at: address)
      for name in names { table.forEachCandidate(name.gnuHash) { $0 > 100_000 } }
    }
    if let address = dynamic.sysvHash {
      let table = try SysVHashTable(file.image, at: address)
      for name in names { table.forEachCandidate(name.bytes) { $0 > 100_000 } }
    }
    for index in 0..<max(min(count, file.symbols.limit), 0) {
      guard let symbol = file.symbols[index] else { continue }
      sink &+= symbol.value &+ UInt64(file.symbols.name(of: symbol)?.count ?? 0)
      guard let versions = file.versions else { continue }
      let version = versions.version(of: index)
      if versions.satisfies(index, version) { sink &+= UInt64(version?.name.count ?? 0) }
    }
  } catch { sink &+= error.offset }
}

private func readRelocations(_ file: ObjectFile, _ sink: inout UInt64) {
  guard let dynamic = file.dynamic else { return }
  do throws(ELFError) {
    for table in [dynamic.rela, dynamic.pltRelocations] {
      let relocations = try RelocationTable(file.image, table)
      for index in 0..<relocations.count { sink &+= relocations[index].offset }
    }
    let relative = try RelativeRelocationTable(file.image, dynamic.relr)
    var total: UInt64 = 0
    try relative.forEachOffset { offset in total &+= offset }
    sink &+= total
  } catch { sink &+= error.offset }
}

private func readFunctions(_ file: ObjectFile, _ sink: inout UInt64) {
  do throws(ELFError) {
    let map = try FunctionMap(file)
    var position: UInt64 = 0
    for function in map.functions {
      // A promise to everything that is built on the map.
      precondition(function.range.start >= position && !function.range.isEmpty)
      position = function.range.end
      sink &+= position
    }
    sink &+= UInt64(map.index(containing: position) ?? 0) &+ UInt64(map.unwind.indirections.count)
  } catch { sink &+= error.offset }
}
