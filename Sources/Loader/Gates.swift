import CBoot

// The C side of these is Sources/CBoot/gates.c.

private func bytes(_ pointer: UnsafePointer<CChar>?) -> Bytes? {
  pointer.map { Bytes(cString: UnsafeRawPointer($0)) }
}

private func address(_ pointer: UnsafeRawPointer?) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }

private func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
  UnsafeMutableRawPointer(bitPattern: UInt(address))
}

@_cdecl("luci_dlopen")
public func luciDlopen(
  _ name: UnsafePointer<CChar>?, _ mode: Int32, _ caller: UnsafeRawPointer?
) -> UnsafeMutableRawPointer? {
  pointer(runningProgram?.open(bytes(name), mode: mode, caller: address(caller)) ?? 0)
}

@_cdecl("luci_dlmopen")
public func luciDlmopen(
  _ nameSpace: Int, _ name: UnsafePointer<CChar>?, _ mode: Int32, _ caller: UnsafeRawPointer?
) -> UnsafeMutableRawPointer? {
  guard let program = runningProgram else { return nil }
  if nameSpace == 0 { return pointer(program.open(bytes(name), mode: mode, caller: address(caller))) }
  return pointer(program.openInNamespace(nameSpace, address(name), mode))
}

@_cdecl("luci_dlclose")
public func luciDlclose(_ handle: UnsafeMutableRawPointer?) -> Int32 {
  runningProgram?.close(address(handle)) ?? -1
}

@_cdecl("luci_dlsym")
public func luciDlsym(
  _ handle: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?,
  _ caller: UnsafeRawPointer?
) -> UnsafeMutableRawPointer? {
  guard let program = runningProgram, let name = bytes(name) else { return nil }
  return pointer(program.symbol(address(handle), name, version: bytes(version), caller: address(caller)))
}

@_cdecl("luci_dladdr")
public func luciDladdr(
  _ place: UnsafeRawPointer?, _ info: UnsafeMutableRawPointer?, _ extra: UnsafeMutableRawPointer?, _ flags: Int32
) -> Int32 {
  guard let program = runningProgram else { return 0 }
  if program.describe(address(place), info: address(info), extra: address(extra), flags: flags) { return 1 }
  return program.describeInHost(address(place), address(info), address(extra), flags)
}

@_cdecl("luci_dlinfo")
public func luciDlinfo(
  _ handle: UnsafeMutableRawPointer?, _ request: Int32, _ result: UnsafeMutableRawPointer?
) -> Int32 {
  guard let program = runningProgram else { return -1 }
  return program.information(address(handle), request: request, result: address(result))
    ?? program.informationInHost(address(handle), request, address(result))
}

@_cdecl("luci_dlerror")
public func luciDlerror() -> UnsafeMutableRawPointer? { pointer(runningProgram?.lastError() ?? 0) }

@_cdecl("luci_dl_iterate_phdr")
public func luciDlIteratePhdr(_ callback: UnsafeRawPointer?, _ data: UnsafeMutableRawPointer?) -> Int32 {
  guard let program = runningProgram else { return 0 }
  let result = program.iterate(address(callback), address(data))
  return result != 0 ? result : program.iterateHost(address(callback), address(data))
}

@_cdecl("luci_dl_find_object")
public func luciDlFindObject(_ place: UnsafeMutableRawPointer?, _ result: UnsafeMutableRawPointer?) -> Int32 {
  guard let program = runningProgram else { return -1 }
  if program.findObject(address(place), result: address(result)) { return 0 }
  return program.findObjectInHost(address(place), address(result))
}

/// The names in the order of luci_interposer_address.
func makeInterposers() -> [StandIn.Export] {
  let names: [StaticString] = [
    "dlopen", "dlmopen", "dlclose", "dlsym", "dlvsym", "dladdr", "dladdr1", "dlinfo", "dlerror", "dl_iterate_phdr",
    "_dl_find_object",
  ]
  var exports: [StandIn.Export] = []
  for (index, name) in names.enumerated() {
    exports.append(StandIn.Export(name: name, address: luci_interposer_address(Int32(index))))
  }
  return exports
}
