/// How it is known where a function is.
public enum FunctionSource: UInt8, Equatable, Sendable {
  /// An FDE of .eh_frame.
  case unwind
  /// A sized symbol of .dynsym or .symtab.
  case symbol
  /// An entry of a procedure linkage table.
  case plt
  /// Named by the dynamic section (init, fini, their arrays) or the ELF entry; its end is where code ends.
  case initFini
  /// Code between functions that nothing names.
  case gap
}

/// A run of code that belongs together. The cold part of a function is one of its own.
public struct Function: Equatable {
  public let range: AddressRange
  public let source: FunctionSource

  public init(range: AddressRange, source: FunctionSource) {
    self.range = range
    self.source = source
  }
}

/// Every byte of an object's executable segments, told apart: functions, padding, and the rest.
///
/// Measured over Debian's libraries, unwind tables, sized symbols and the PLT leave 1.7 % to the gaps besides
/// padding. A gap counts as code only if it decodes from its start to its end: whoever proves something about all
/// code must know what was not understood.
public struct FunctionMap {
  /// Ascending, without overlap.
  public private(set) var functions: [Function] = []
  /// Runs of NOP, INT3 or zero between functions.
  public private(set) var padding: [AddressRange] = []
  /// Bytes in executable sections that are neither a function nor padding.
  public private(set) var undecoded: [AddressRange] = []
  /// Bytes of executable segments outside every executable section: headers and constants of files that are linked
  /// without separate segments for code. Fill (zeros, INT3) is left out.
  public private(set) var outsideSections: [AddressRange] = []
  /// What .eh_frame says.
  public let unwind: UnwindTable

  public init(_ file: ObjectFile) throws(ELFError) {
    try self.init(file) { FunctionGaps.branchTargets(file.image, $0) }
  }

  /// For whoever decodes all functions anyway: `branchTargets` gets the functions that tables know, and returns
  /// where branches lead from them to where none of them is.
  init(_ file: ObjectFile, branchTargets: ([Function]) -> [UInt64]) throws(ELFError) {
    let regions = CodeRegions(file)
    outsideSections = regions.outside
    unwind = try FunctionMap.unwindTable(file, regions.sections)
    var sources = FunctionSources(file, regions)
    sources.add(unwind)
    try sources.addSymbols()
    sources.addStarts()
    let known = sources.resolved()
    var gaps = FunctionGaps(
      file.image, known: known, starts: sources.starts,
      branchTargets: branchTargets(known) + sources.relocationTargets(known))
    for region in regions.code { gaps.scan(region) }
    functions = known + gaps.functions
    functions.sort { $0.range.start < $1.range.start }
    padding = gaps.padding
    undecoded = gaps.undecoded
  }

  private static func unwindTable(_ file: ObjectFile, _ sections: [Section]) throws(ELFError) -> UnwindTable {
    if file.segments.ehFrameHeader == nil {
      let name = Bytes(".eh_frame")
      if let section = sections.first(where: { $0.name == name && $0.isAllocated && !$0.isNoBits }) {
        return try UnwindTable(file.image, section: section.range)
      }
    }
    return try UnwindTable(file.image)
  }

  /// Index in `functions` of the one that holds `address`.
  public func index(containing address: UInt64) -> Int? {
    FunctionMap.index(in: functions, containing: address)
  }

  static func index(in functions: [Function], containing address: UInt64) -> Int? {
    var low = 0
    var high = functions.count
    while low < high {
      let middle = low &+ (high &- low) / 2
      if functions[middle].range.end <= address { low = middle &+ 1 } else { high = middle }
    }
    guard low < functions.count, functions[low].range.contains(address) else { return nil }
    return low
  }

  /// Bytes in functions of one source.
  public func byteCount(_ source: FunctionSource) -> UInt64 {
    functions.reduce(0) { $1.source == source ? $0 &+ $1.range.count : $0 }
  }
  public var functionByteCount: UInt64 { functions.reduce(0) { $0 &+ $1.range.count } }
  public var paddingByteCount: UInt64 { padding.reduce(0) { $0 &+ $1.count } }
  public var undecodedByteCount: UInt64 { undecoded.reduce(0) { $0 &+ $1.count } }
}
