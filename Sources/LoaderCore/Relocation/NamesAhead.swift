import CKernel

/// The names of the next symbols that relocations refer to, read and hashed in advance, so that the look-ups of several
/// of them wait for memory at the same time and not one after the other.
final class NamesAhead {
  static var size: Int { 16 }

  private let first: LookupRun
  private let second: LookupRun?
  private let symbols: SymbolTable
  /// Index of the first relocation behind those that are covered.
  private var end = 0
  /// The symbols' indices and names.
  private var indices = InlineArray<16, Int>(repeating: -1)
  private var names = InlineArray<16, SymbolName>(repeating: SymbolName(""))
  private var count = 0
  /// Which of them is asked for next.
  private var position = 0

  init(_ first: LookupRun, _ second: LookupRun?, _ symbols: SymbolTable) {
    self.first = first
    self.second = second
    self.symbols = symbols
  }

  /// A new table of relocations begins.
  func restart() { end = 0 }

  /// Reads on where relocation `index` is not covered.
  @inline(__always)
  func read(_ table: RelocationTable, _ index: Int) {
    if index >= end { readRun(table, from: index) }
  }

  /// In rounds over all of the run, so that what one round asked for is there in the next.
  private func readRun(_ table: RelocationTable, from start: Int) {
    var offsets = InlineArray<16, UInt64>(repeating: 0)
    var index = start
    var last = -1
    count = 0
    position = 0
    while index < table.count, count < NamesAhead.size {
      let relocation = table[index]
      index += 1
      if relocation.symbolIndex == last || relocation.symbolIndex == 0 { continue }
      last = relocation.symbolIndex
      guard let symbol = symbols[last], !symbol.isLocal else { continue }
      symbols.prefetchName(of: symbol)
      indices[count] = last
      offsets[count] = symbol.nameOffset
      count += 1
    }
    end = index
    for slot in 0..<count {
      guard let name = symbols.hashedName(at: offsets[slot]) else {
        indices[slot] = -1
        continue
      }
      names[slot] = name
    }
    names.span.withUnsafeBufferPointer { buffer in
      let filled = UnsafeBufferPointer(rebasing: buffer[..<count])
      first.prefetch(filled)
      second?.prefetch(filled)
    }
  }

  /// The name of the symbol at `index`, where it was read; symbols are asked for in the order of the relocations.
  @inline(__always)
  func name(of index: Int) -> SymbolName? {
    while position < count {
      if indices[position] == index { return names[position] }
      position += 1
    }
    return nil
  }
}
