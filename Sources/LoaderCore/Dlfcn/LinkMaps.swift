import CKernel

/// The public part of struct link_map (<link.h>) for each object of the program: what debuggers, unwinders and
/// dlinfo(RTLD_DI_LINKMAP) see, and the handle that dlopen returns. They lie in pages of their own, so that a handle
/// that was closed is told from one of the host's.
public final class LinkMaps {
  /// l_addr, l_name, l_ld, l_next, l_prev; some room behind for readers of glibc's private part.
  static var size: UInt64 { 64 }
  static var chunkSize: UInt64 { 16384 }

  private var chunks: [UInt64] = []
  private var used: UInt64 = LinkMaps.chunkSize
  private var unused: [UInt64] = []

  public init() {}

  /// An address that is, or once was, an entry.
  func owns(_ address: UInt64) -> Bool { chunks.contains { address >= $0 && address - $0 < LinkMaps.chunkSize } }

  /// An empty entry; 0 without memory.
  func make() -> UInt64 {
    // Closed handles are not used again at once: using one after dlclose is a mistake that shows better this way.
    if unused.count > 64 {
      let entry = unused.removeFirst()
      ProcessMemory.zero(entry, count: LinkMaps.size)
      return entry
    }
    if used == LinkMaps.chunkSize {
      guard let chunk = try? Mapping.anonymous(LinkMaps.chunkSize, .readWrite) else { return 0 }
      chunks.append(chunk)
      used = 0
    }
    used += LinkMaps.size
    return chunks[chunks.count - 1] + used - LinkMaps.size
  }

  /// The entry of an object that is mapped.
  func make(for object: LoadedObject) -> UInt64 {
    let entry = make()
    if entry == 0 { return 0 }
    fill(entry, bias: object.bias, name: LinkMaps.cString(object.path), dynamic: object.dynamicAddress)
    return entry
  }

  func fill(_ entry: UInt64, bias: UInt64, name: UInt64, dynamic: UInt64) {
    ProcessMemory.store(bias, at: entry)
    ProcessMemory.store(name, at: entry + 8)
    ProcessMemory.store(dynamic, at: entry + 16)
  }

  func free(_ object: LoadedObject) {
    let name = LinkMaps.name(object.linkMap)
    ProcessMemory.zero(object.linkMap, count: LinkMaps.size)
    if name != 0 { ProcessMemory.pointer(name).deallocate() }
    unused.append(object.linkMap)
    object.linkMap = 0
  }

  /// Joins entries to a list, in this order.
  static func link(_ entries: [UInt64]) {
    for (index, entry) in entries.enumerated() {
      ProcessMemory.store(index == 0 ? 0 : entries[index - 1], at: entry + 32)
      ProcessMemory.storeAtomically(index + 1 < entries.count ? entries[index + 1] : 0, at: entry + 24)
    }
  }

  /// Address of l_name's string.
  static func name(_ map: UInt64) -> UInt64 { ProcessMemory.load(UInt64.self, at: map + 8) }

  /// A copy of a path in memory of Luci's.
  static func cString(_ path: Path) -> UInt64 {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: path.count + 1, alignment: 16)
    let address = UInt64(UInt(bitPattern: memory))
    path.withCString { name in
      ProcessMemory.copy(from: UInt64(UInt(bitPattern: name)), to: address, count: UInt64(path.count) + 1)
    }
    return address
  }
}

extension LoadedObject {
  /// The dynamic section in memory (l_ld).
  var dynamicAddress: UInt64 { bias &+ (segments.dynamic?.start ?? 0) }
}

extension Program {
  /// Gives every object that has none its link_map, and puts the lists that debuggers read in order.
  func publishLinkMaps() {
    for object in registry.objects where object.linkMap == 0 { object.linkMap = linkMaps.make(for: object) }
    debugger.publish(registry.objects, hosts: hostObjects, linkMaps)
  }
}
