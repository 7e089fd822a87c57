import CKernel

/// The pages of an object that can be taken away: those that hold code and nothing else.
///
/// The kernel can't be made to wait for a page on behalf of the program (see `UserFault`): a system call that is given
/// an address in text that is away fails with EFAULT. Constants are therefore left alone, with the pages they lie in.
struct TextPages {
  /// In memory, whole pages, ascending.
  private(set) var ranges: [AddressRange] = []
  /// All code lies in them: the object can be said to be unused.
  private(set) var isComplete = true
  /// Why it can't.
  private(set) var obstacle: StaticString?

  init(_ version: LoadedObject) {
    guard let content = version.fileContent, let file = try? ObjectFile(content) else {
      give(up: "its file is not known")
      return
    }
    let sections = (try? file.sections().all) ?? []
    // The kernel reads the code of a restartable sequence whenever its thread was interrupted (rseq(2)).
    if sections.contains(where: { $0.name.hasPrefix("__rseq_cs") }) {
      give(up: "it has restartable sequences")
      return
    }
    for load in version.segments.loads where load.isExecutable && load.fileSize > 0 {
      guard !load.isWritable else {
        give(up: "its code is writable")
        return
      }
      add(load, file, sections, bias: version.bias)
    }
    if ranges.isEmpty, isComplete { give(up: "it has no code") }
  }

  private mutating func give(up reason: StaticString) {
    isComplete = false
    if obstacle == nil { obstacle = reason }
  }

  private mutating func add(_ load: LoadSegment, _ file: ObjectFile, _ sections: [Section], bias: UInt64) {
    let page = Segments.pageSize
    let others = TextPages.others(in: load, file, sections)
    let code = sections.filter { $0.isExecutable && $0.isAllocated && load.contains($0.address) }.map { $0.range }
    var address = load.address & ~(page - 1)
    while address < load.end {
      let range = AddressRange(start: address, count: page)
      if !others.contains(where: { $0.overlaps(range) }) {
        append(AddressRange(start: bias &+ address, count: page))
      } else if code.isEmpty || code.contains(where: { $0.overlaps(range) }) {
        give(up: "its code and its constants share pages")
      }
      address += page
    }
  }

  /// What lies in an executable segment without being code: headers and sections; without section headers, all of it
  /// if anything is.
  private static func others(in load: LoadSegment, _ file: ObjectFile, _ sections: [Section]) -> [AddressRange] {
    let whole = AddressRange(start: load.address, end: load.end)
    let headers = UInt64(file.header.programHeaderOffset) &+ UInt64(file.header.programHeaderCount * 56)
    var result: [AddressRange] = []
    if load.fileOffset < max(64, headers) {
      result.append(AddressRange(start: load.address, count: max(64, headers) - load.fileOffset))
    }
    let allocated = sections.filter { $0.isAllocated && !$0.isNoBits && $0.range.overlaps(whole) }
    if allocated.isEmpty {
      let tables = [file.dynamic?.symbols, file.dynamic?.strings.address, file.segments.ehFrameHeader?.start]
      let isMixed = !result.isEmpty || tables.contains { $0.map { whole.contains($0) } ?? false }
      return isMixed ? [whole] : []
    }
    return result + allocated.filter { !$0.isExecutable }.map { $0.range }
  }

  private mutating func append(_ page: AddressRange) {
    if let last = ranges.last, last.end == page.start {
      ranges[ranges.count - 1].end = page.end
    } else {
      ranges.append(page)
    }
  }
}
