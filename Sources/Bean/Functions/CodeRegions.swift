/// Where an object has code: the executable sections within its executable segments, or, without section headers,
/// these segments as a whole.
struct CodeRegions {
  /// Ascending, without overlap, with bytes in the file.
  private(set) var code: [AddressRange] = []
  /// The rest of the executable segments, where it is more than fill.
  private(set) var outside: [AddressRange] = []
  /// nil: there are none that could be read.
  let headers: Sections?
  var sections: [Section] { headers?.all ?? [] }

  init(_ file: ObjectFile) {
    // Section headers are a help, not a need: a file with broken ones can be loaded and run.
    do throws(ELFError) { headers = try file.sections() } catch { headers = nil }
    var wanted: [AddressRange] = []
    for section in sections where section.isExecutable && section.isAllocated && !section.isNoBits {
      if !section.range.isEmpty { wanted.append(section.range) }
    }
    wanted.sort { $0.start < $1.start }
    var index = 0
    for load in file.segments.loads where load.isExecutable && load.fileSize != 0 {
      let segment = AddressRange(start: load.address, count: load.fileSize)
      if wanted.isEmpty {
        code.append(segment)
        continue
      }
      var position = segment.start
      while index < wanted.count, wanted[index].start < segment.end {
        let start = max(wanted[index].start, position)
        let end = min(wanted[index].end, segment.end)
        index &+= 1
        if start >= end { continue }
        addOutside(file.image, from: position, to: start)
        code.append(AddressRange(start: start, end: end))
        position = end
      }
      addOutside(file.image, from: position, to: segment.end)
    }
  }

  private mutating func addOutside(_ image: Image, from start: UInt64, to end: UInt64) {
    guard start < end, let bytes = image.bytes(at: start, count: end &- start) else { return }
    // Linkers fill up to the end of a page with zeros or INT3.
    var first = 0
    var last = bytes.count
    while first < last, bytes[first] == 0 || bytes[first] == 0xcc { first &+= 1 }
    while last > first, bytes[last &- 1] == 0 || bytes[last &- 1] == 0xcc { last &-= 1 }
    if first < last { outside.append(AddressRange(start: start &+ UInt64(first), end: start &+ UInt64(last))) }
  }

  /// The region that holds `address`.
  func region(containing address: UInt64) -> AddressRange? {
    var low = 0
    var high = code.count
    while low < high {
      let middle = low &+ (high &- low) / 2
      if code[middle].end <= address { low = middle &+ 1 } else { high = middle }
    }
    guard low < code.count, code[low].contains(address) else { return nil }
    return code[low]
  }
}
