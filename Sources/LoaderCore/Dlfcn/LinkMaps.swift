import CKernel

/// The public part of struct link_map (<link.h>) for each object of the program: what debuggers, unwinders and
/// dlinfo(RTLD_DI_LINKMAP) see, and the handle that dlopen returns.
public enum LinkMap {
  /// l_addr, l_name, l_ld, l_next, l_prev; some room behind for readers of glibc's private part.
  static var size: UInt64 { 64 }

  /// Makes the entry and appends it to the list that ends in `previous` (0: none). Lives forever.
  static func make(for object: LoadedObject, name: Path, after previous: UInt64) -> UInt64 {
    let nameSize = UInt64(name.count) + 1
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Int(size + nameSize), alignment: 16)
    let address = UInt64(UInt(bitPattern: memory))
    ProcessMemory.zero(address, count: size + nameSize)
    name.withBytes {
      ProcessMemory.copy(from: $0.memoryAddress, to: address + size, count: UInt64($0.count))
    }
    ProcessMemory.store(object.bias, at: address)
    ProcessMemory.store(address + size, at: address + 8)
    ProcessMemory.store(object.bias &+ (object.segments.dynamic?.start ?? 0), at: address + 16)
    ProcessMemory.store(previous, at: address + 32)
    if previous != 0 { ProcessMemory.storeAtomically(address, at: previous + 24) }
    return address
  }

  /// Address of l_name's string.
  static func name(_ map: UInt64) -> UInt64 { ProcessMemory.load(UInt64.self, at: map + 8) }
}

extension Program {
  /// Gives every object that has none its link_map, in load order, the host's entries behind the first ones.
  func publishLinkMaps() {
    var previous = lastLinkMap
    for object in registry.objects where object.linkMap == 0 {
      object.linkMap = LinkMap.make(for: object, name: object.path, after: previous)
      previous = object.linkMap
    }
    lastLinkMap = previous
    publishDebugEntry()
  }

  /// DT_DEBUG of the executable leads debuggers to a list of all objects.
  private func publishDebugEntry() {
    guard let entry = executable.dynamic.debugEntryAddress, let standIn else { return }
    let address = executable.bias &+ entry
    guard executable.segment(atMemory: address)?.isWritable ?? false,
      !(ObjectMapper.wholePages(of: executable.segments.relro, bias: executable.bias)?.contains(address) ?? false)
    else { return }
    ProcessMemory.storeAtomically(standIn.hostDebug, at: address)
  }
}
