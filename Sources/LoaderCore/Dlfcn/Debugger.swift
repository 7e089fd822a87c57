import CKernel

/// What a debugger reads: struct r_debug (<link.h>), found through DT_DEBUG, with a list of all objects and a function
/// that is called whenever the list changes, where the debugger has a breakpoint.
///
/// A debugger leaves out the first entry, which it takes for the program that it started. So there are two lists: that
/// of the executable's DT_DEBUG begins with the executable. Where the loader was started as the program, its own
/// DT_DEBUG leads to one that begins with the loader, and in which the executable has a name.
public final class Debugger {
  /// r_state.
  enum State: Int32 {
    case consistent = 0
    case adding = 1
    case removing = 2
  }

  /// The loader's own image.
  struct Loader {
    let bias: UInt64
    let dynamic: UInt64
    let name: Path
  }

  /// r_version, r_map, r_brk, r_state, r_ldbase.
  static var size: Int { 40 }

  private let breakpoint: @convention(c) () -> Void
  private let program: UInt64
  private var loaderList: UInt64 = 0
  private var loader: Loader?
  private var loaderName: UInt64 = 0
  private var programName: UInt64 = 0
  /// Entries that stand for objects whose own entry is in another list.
  private var copies: [UInt64] = []

  init(breakpoint: @escaping @convention(c) () -> Void) {
    self.breakpoint = breakpoint
    program = Debugger.make(breakpoint)
  }

  private static func make(_ breakpoint: @convention(c) () -> Void) -> UInt64 {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    let address = UInt64(UInt(bitPattern: memory))
    ProcessMemory.zero(address, count: UInt64(size))
    ProcessMemory.store(Int32(1), at: address)
    ProcessMemory.store(
      UInt64(UInt(bitPattern: unsafeBitCast(breakpoint, to: UnsafeRawPointer.self))), at: address + 16)
    return address
  }

  /// Leads to the lists: before the executable's dynamic section becomes read-only.
  func attach(to executable: LoadedObject, name: Path, loader: Loader?, startedDirectly: Bool) {
    if let entry = executable.dynamic.debugEntryAddress,
      executable.segment(atMemory: executable.bias &+ entry)?.isWritable ?? false
    {
      ProcessMemory.storeAtomically(program, at: executable.bias &+ entry)
    }
    guard let loader else { return }
    self.loader = loader
    loaderName = LinkMaps.cString(loader.name)
    ProcessMemory.store(loader.bias, at: program + 32)
    guard startedDirectly, let entry = Debugger.debugEntry(loader.dynamic) else { return }
    programName = LinkMaps.cString(name)
    loaderList = Debugger.make(breakpoint)
    ProcessMemory.store(loader.bias, at: loaderList + 32)
    ProcessMemory.storeAtomically(loaderList, at: entry)
  }

  /// Address of the value of DT_DEBUG in the loader's own dynamic section, which ends with DT_NULL.
  private static func debugEntry(_ dynamic: UInt64) -> UInt64? {
    var entry = dynamic
    while true {
      let tag = ProcessMemory.load(Int64.self, at: entry)
      if tag == Int64(DT_DEBUG) { return entry + 8 }
      if tag == Int64(DT_NULL) { return nil }
      entry += 16
    }
  }

  /// A change begins, whose end is `publish`.
  func announce(_ state: State) { setState(state) }

  private func setState(_ state: State) {
    for list in [program, loaderList] where list != 0 { ProcessMemory.store(state.rawValue, at: list + 24) }
    breakpoint()
  }

  /// The lists as they are now: the program's objects, the host's, the loader.
  func publish(_ objects: [LoadedObject], hosts: [LoadedObject], _ maps: LinkMaps) {
    var used = 0
    func copy(bias: UInt64, name: UInt64, dynamic: UInt64) -> UInt64 {
      if used == copies.count { copies.append(maps.make()) }
      used += 1
      let entry = copies[used - 1]
      if entry != 0 { maps.fill(entry, bias: bias, name: name, dynamic: dynamic) }
      return entry
    }
    func tail() -> [UInt64] {
      hosts.map { copy(bias: $0.bias, name: LinkMaps.name($0.linkMap), dynamic: $0.dynamicAddress) }
    }
    // Versions with an image of their own have another name here than for the program.
    func entry(_ object: LoadedObject) -> UInt64 {
      if object.imageName == 0 { return object.linkMap }
      return copy(bias: object.bias, name: object.imageName, dynamic: object.dynamicAddress)
    }
    var entries = objects.map(entry) + tail()
    if let loader { entries.append(copy(bias: loader.bias, name: loaderName, dynamic: loader.dynamic)) }
    Debugger.set(program, entries)
    if loaderList != 0, let loader {
      var entries = [copy(bias: loader.bias, name: loaderName, dynamic: loader.dynamic)]
      for (index, object) in objects.enumerated() {
        let known = object.imageName == 0 ? LinkMaps.name(object.linkMap) : object.imageName
        let name = index == 0 ? programName : known
        entries.append(copy(bias: object.bias, name: name, dynamic: object.dynamicAddress))
      }
      Debugger.set(loaderList, entries + tail())
    }
    setState(.consistent)
  }

  private static func set(_ list: UInt64, _ entries: [UInt64]) {
    let entries = entries.filter { $0 != 0 }
    LinkMaps.link(entries)
    ProcessMemory.storeAtomically(entries.first ?? 0, at: list + 8)
  }
}

extension Program {
  /// Before the executable's dynamic section becomes read-only.
  func attachDebugger() {
    let isDirect = standIn != nil && executable.status != nil
    var loader: Debugger.Loader?
    if gates.selfDynamic != 0 {
      loader = .init(bias: gates.selfRange.start, dynamic: gates.selfDynamic, name: loaderPath ?? Path("ld-luci.so"))
    }
    debugger.attach(to: executable, name: executablePath, loader: loader, startedDirectly: isDirect)
  }
}
