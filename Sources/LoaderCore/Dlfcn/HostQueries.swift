/// Questions about host objects go to the C library.
extension Program {
  public func openInNamespace(_ nameSpace: Int, _ name: UInt64, _ mode: Int32) -> UInt64 {
    guard host.dlmopen != 0 else { return 0 }
    let handle = ForeignCall.word(
      host.dlmopen, UInt64(bitPattern: Int64(nameSpace)), name, UInt64(UInt32(bitPattern: mode)))
    if handle == 0 { setHostError() }
    return handle
  }

  public func describeInHost(_ address: UInt64, _ info: UInt64, _ extra: UInt64, _ flags: Int32) -> Int32 {
    if gates.selfRange.contains(address) { return 0 }
    let result =
      extra == 0
      ? (host.dladdr == 0 ? 0 : ForeignCall.word(host.dladdr, address, info))
      : (host.dladdr1 == 0
        ? 0 : ForeignCall.word4(host.dladdr1, address, info, extra, UInt64(UInt32(bitPattern: flags))))
    return Int32(truncatingIfNeeded: result)
  }

  public func informationInHost(_ handle: UInt64, _ request: Int32, _ result: UInt64) -> Int32 {
    guard host.dlinfo != 0 else { return -1 }
    let value = ForeignCall.word(host.dlinfo, handle, UInt64(UInt32(bitPattern: request)), result)
    if Int32(truncatingIfNeeded: value) != 0 { setHostError() }
    return Int32(truncatingIfNeeded: value)
  }

  public func findObjectInHost(_ address: UInt64, _ result: UInt64) -> Int32 {
    guard host.findObject != 0 else { return -1 }
    return Int32(truncatingIfNeeded: ForeignCall.word(host.findObject, address, result))
  }

  /// What the host's dl_iterate_phdr passes on for Luci: the callback, its data, and the entry to leave out.
  private struct Filter {
    let callback: UInt64
    let data: UInt64
    let standIn: UInt64
  }

  /// The host's objects, without the stand-in that the host takes for the program and what else is Luci's.
  public func iterateHost(_ callback: UInt64, _ data: UInt64) -> Int32 {
    guard host.iterate != 0 else { return 0 }
    var filter = Filter(callback: callback, data: data, standIn: standIn?.programHeaders ?? 0)
    let forward: @convention(c) (UInt64, UInt64, UInt64) -> UInt64 = { info, size, filter in
      let filter = ProcessMemory.load(Filter.self, at: filter)
      let programHeaders = ProcessMemory.load(UInt64.self, at: info + 16)
      if programHeaders == filter.standIn { return 0 }
      let bias = ProcessMemory.load(UInt64.self, at: info)
      if HostTLSBlock.isOne(at: bias, programHeaders: programHeaders) { return 0 }
      return ForeignCall.word(filter.callback, info, size, filter.data)
    }
    let function = UInt64(UInt(bitPattern: unsafeBitCast(forward, to: UnsafeRawPointer.self)))
    let result = withUnsafeMutablePointer(to: &filter) {
      ForeignCall.word(host.iterate, function, UInt64(UInt(bitPattern: $0)))
    }
    return Int32(truncatingIfNeeded: result)
  }
}
