import CKernel

/// The C library's family as its own loader mapped it, found through the public part of that loader's link_map
/// list (l_addr, l_name, l_ld, l_next, l_prev: <link.h>).
public enum HostObjects {
  /// One entry of the list.
  public struct Entry {
    public let address: UInt64
    public let bias: UInt64
    public let name: Bytes
    public let dynamic: UInt64
  }

  /// r_debug: r_version, r_map at +8.
  public static func entries(debug: UInt64) -> [Entry] {
    guard debug != 0 else { return [] }
    var result: [Entry] = []
    var map = ProcessMemory.load(UInt64.self, at: debug + 8)
    while map != 0 {
      result.append(
        Entry(
          address: map, bias: ProcessMemory.load(UInt64.self, at: map),
          name: ProcessMemory.cString(at: ProcessMemory.load(UInt64.self, at: map + 8)),
          dynamic: ProcessMemory.load(UInt64.self, at: map + 16)))
      map = ProcessMemory.load(UInt64.self, at: map + 24)
    }
    return result
  }

  /// The objects behind the list, the stand-in and the kernel's vDSO left out. `isKnown` tells which link_maps
  /// have an object already.
  public static func read(debug: UInt64, standIn: UInt64, isKnown: (UInt64) -> Bool) -> [LoadedObject] {
    var result: [LoadedObject] = []
    for entry in entries(debug: debug) where entry.bias != standIn && !isKnown(entry.address) {
      if entry.name.hasPrefix("linux-vdso") || entry.name.count == 0 { continue }
      if let object = object(entry) { result.append(object) }
    }
    return result
  }

  private static func object(_ entry: Entry) -> LoadedObject? {
    // The ELF header is the first thing an object maps: linkers put it into the first loadable segment.
    let headerBytes = ProcessMemory.bytes(at: entry.bias, count: UInt64(MemoryLayout<Elf64_Ehdr>.size))
    guard let header = try? FileHeader(headerBytes) else { return nil }
    let size = UInt64(header.programHeaderCount * MemoryLayout<Elf64_Phdr>.size)
    let table = ProcessMemory.bytes(at: entry.bias &+ header.programHeaderOffset, count: size)
    guard let segments = try? Segments(table: table, at: header.programHeaderOffset, fileSize: 1 << 47) else {
      return nil
    }
    let path = Path(entry.name)
    let object = try? LoadedObject(
      role: .host, path: path, name: path.lastComponent.withBytes { $0.copy() }, bias: entry.bias,
      segments: segments, image: ObjectMapper.image(segments, bias: entry.bias), status: nil)
    object?.linkMap = entry.address
    object?.isRelocated = true
    object?.constructorsRun = true
    return object
  }
}
