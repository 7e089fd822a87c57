import CKernel

/// Collects what the tables of a file say about functions, and makes one list of it.
struct FunctionSources {
  let file: ObjectFile
  let regions: CodeRegions

  /// In order of trust; within each ascending once `resolved` has sorted them.
  private var plt: [AddressRange] = []
  private var frames: [AddressRange] = []
  private var symbols: [AddressRange] = []
  /// Addresses at which functions begin that have no size anywhere. Ascending after `addStarts`.
  private(set) var starts: [UInt64] = []

  init(_ file: ObjectFile, _ regions: CodeRegions) {
    self.file = file
    self.regions = regions
    addPLT()
  }

  /// FDEs often cover a PLT as a whole; its entries are what calls lead to.
  private mutating func addPLT() {
    // Section headers may lie on top of each other: all PLTs together are no larger than the code.
    var room = regions.code.reduce(UInt64(0)) { $0 &+ $1.count }
    for section in regions.sections where section.isExecutable && section.isAllocated && !section.isNoBits {
      guard isPLT(section.name), let region = regions.region(containing: section.address),
        region.contains(section.range), section.size <= room
      else { continue }
      room &-= section.size
      let size = entrySize(section)
      var start = section.address
      while start < section.range.end {
        let end = min(start &+ size, section.range.end)
        plt.append(AddressRange(start: start, end: end))
        start = end
      }
    }
  }

  private func isPLT(_ name: Bytes) -> Bool {
    name == Bytes(".plt") || name == Bytes(".plt.sec") || name == Bytes(".plt.got") || name == Bytes(".iplt")
  }

  /// 16, or 8 where an entry is nothing but JMP [rip+d] and a two-byte NOP (.plt.got without ENDBR64).
  private func entrySize(_ section: Section) -> UInt64 {
    guard let head = file.image.load(UInt64.self, at: section.address) else { return 16 }
    return head & 0xffff == 0x25ff && head >> 48 == 0x9066 ? 8 : 16
  }

  mutating func add(_ unwind: UnwindTable) {
    frames.reserveCapacity(unwind.entries.count)
    for entry in unwind.entries {
      var range = entry.range
      if entry.isSignalFrame, isSignalReturn(at: range.start &+ 1) { range.start = range.start &+ 1 }
      FunctionSources.append(range, to: &frames, regions)
    }
  }

  /// MOV $15 (__NR_rt_sigreturn), %rax or %eax. The FDE of a signal's return begins one byte before it, inside a
  /// NOP: nothing calls that code, and unwinders look for the address before a return address.
  private func isSignalReturn(at address: UInt64) -> Bool {
    guard let head = file.image.load(UInt64.self, at: address) else { return false }
    return head & 0xff_ffff_ffff_ffff == 0x0f_c0c7_48 || head & 0xff_ffff_ffff == 0x0f_b8
  }

  mutating func addSymbols() throws(ELFError) {
    add(file.symbols, count: try file.dynamicSymbolCount())
    if let headers = regions.headers, let table = file.staticSymbols(headers) { add(table, count: table.limit) }
  }

  private mutating func add(_ table: SymbolTable, count: Int) {
    let count = max(min(count, table.limit), 0)
    symbols.reserveCapacity(symbols.count + count)
    for index in 0..<count {
      guard let symbol = table[index], symbol.isFunction, !symbol.isUndefined else { continue }
      if symbol.size != 0 {
        let room = UInt64.max &- symbol.value
        let range = AddressRange(start: symbol.value, count: min(symbol.size, room))
        FunctionSources.append(range, to: &symbols, regions)
      } else {
        addStart(symbol.value)
      }
    }
  }

  /// A range must lie in code; one that reaches beyond its section is cut.
  private static func append(_ range: AddressRange, to list: inout [AddressRange], _ regions: CodeRegions) {
    guard let region = regions.region(containing: range.start) else { return }
    let end = min(range.end, region.end)
    if end > range.start { list.append(AddressRange(start: range.start, end: end)) }
  }

  private mutating func addStart(_ address: UInt64) {
    if regions.region(containing: address) != nil { starts.append(address) }
  }

  /// The ELF entry, DT_INIT, DT_FINI and the functions of the arrays, which crtbegin.o's have no FDE.
  mutating func addStarts() {
    addStart(file.header.entry)
    if let dynamic = file.dynamic {
      if let address = dynamic.initFunction { addStart(address) }
      if let address = dynamic.finiFunction { addStart(address) }
      for table in [dynamic.preinitArray, dynamic.initArray, dynamic.finiArray] where table.isPresent {
        addArray(table, dynamic)
      }
    }
    starts.sort()
  }

  private mutating func addArray(_ table: DynamicSection.Table, _ dynamic: DynamicSection) {
    guard let bytes = file.image.bytes(at: table.address, count: table.size) else { return }
    // The words hold the addresses of an executable without relocations, and of DT_RELR.
    var position = 0
    while let word = bytes.load(UInt64.self, at: position) {
      if word != 0 { addStart(word) }
      position = position &+ 8
    }
    let relocations: RelocationTable
    do throws(ELFError) { relocations = try RelocationTable(file.image, dynamic.rela) } catch { return }
    let range = AddressRange(start: table.address, count: table.size)
    for index in 0..<relocations.count {
      let relocation = relocations[index]
      if relocation.type == UInt32(R_X86_64_RELATIVE), range.contains(relocation.offset) {
        addStart(UInt64(bitPattern: relocation.addend))
      }
    }
  }

  /// What relocated words of data point to in code that none of `known`, which are ascending, covers: functions that
  /// are only called through pointers, as assembly without unwind information has them.
  func relocationTargets(_ known: [Function]) -> [UInt64] {
    guard let dynamic = file.dynamic else { return [] }
    var found: [UInt64] = []
    let note = { (address: UInt64) in
      guard regions.region(containing: address) != nil, FunctionMap.index(in: known, containing: address) == nil
      else {
        return
      }
      found.append(address)
    }
    if let table = try? RelocationTable(file.image, dynamic.rela) {
      for index in 0..<table.count where table[index].type == UInt32(R_X86_64_RELATIVE) {
        note(UInt64(bitPattern: table[index].addend))
      }
    }
    if let table = try? RelativeRelocationTable(file.image, dynamic.relr) {
      try? table.forEachOffset { (address) throws(ELFError) in
        guard found.count < file.bytes.count / 8 else { throw ELFError(.relocationTable, at: address) }
        if let word = file.image.load(UInt64.self, at: address) { note(word) }
      }
    }
    return found
  }

  /// One list: PLT entries, FDEs where they leave room, symbols where both do.
  mutating func resolved() -> [Function] {
    var result = FunctionSources.disjoint(&plt, .plt)
    result = FunctionSources.merge(result, FunctionSources.disjoint(&frames, .unwind))
    return FunctionSources.merge(result, FunctionSources.disjoint(&symbols, .symbol))
  }

  /// Ascending and without overlap. Of ranges with the same start (aliases) the longest counts; one that begins
  /// inside another loses what both have.
  private static func disjoint(_ ranges: inout [AddressRange], _ source: FunctionSource) -> [Function] {
    ranges.sort { $0.start != $1.start ? $0.start < $1.start : $0.end > $1.end }
    var result: [Function] = []
    result.reserveCapacity(ranges.count)
    var position: UInt64 = 0
    for range in ranges where range.end > position {
      let rest = AddressRange(start: max(range.start, position), end: range.end)
      result.append(Function(range: rest, source: source))
      position = rest.end
    }
    return result
  }

  /// `first` as it is, and what of `second` lies between.
  private static func merge(_ first: [Function], _ second: [Function]) -> [Function] {
    if first.isEmpty { return second }
    var result: [Function] = []
    result.reserveCapacity(first.count &+ second.count)
    var index = 0
    for function in second {
      var position = function.range.start
      while index < first.count, first[index].range.start < function.range.end {
        let other = first[index].range
        if other.start > position {
          result.append(Function(range: AddressRange(start: position, end: other.start), source: function.source))
        }
        position = max(position, other.end)
        // One that reaches beyond this function is still to be seen by the next.
        if other.end > function.range.end { break }
        result.append(first[index])
        index &+= 1
      }
      if position < function.range.end {
        result.append(
          Function(range: AddressRange(start: position, end: function.range.end), source: function.source))
      }
    }
    result.append(contentsOf: first[index...])
    return result
  }
}
