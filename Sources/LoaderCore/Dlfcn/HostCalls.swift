/// The C library's own dlopen family, to which host objects and namespaces are passed.
public struct HostCalls {
  public internal(set) var dlopen: UInt64 = 0
  public internal(set) var dlmopen: UInt64 = 0
  public internal(set) var dlclose: UInt64 = 0
  public internal(set) var dlsym: UInt64 = 0
  public internal(set) var dlvsym: UInt64 = 0
  public internal(set) var dlerror: UInt64 = 0
  public internal(set) var dladdr: UInt64 = 0
  public internal(set) var dladdr1: UInt64 = 0
  public internal(set) var dlinfo: UInt64 = 0
  public internal(set) var iterate: UInt64 = 0
  public internal(set) var findObject: UInt64 = 0
  public internal(set) var registerAtFork: UInt64 = 0
  public internal(set) var tlsGetAddress: UInt64 = 0
  public internal(set) var threadAtExit: UInt64 = 0
  /// syscall, prctl, unshare, setns.
  public internal(set) var process: [UInt64] = [0, 0, 0, 0]
  /// __errno_location
  public internal(set) var errorNumber: UInt64 = 0
  /// _IO_list_all: all streams of stdio; only glibc has it.
  public internal(set) var streams: UInt64 = 0

  public init() {}

  init(_ objects: [LoadedObject]) {
    func find(_ name: StaticString) -> UInt64 {
      let wanted = SymbolName(name)
      for object in objects {
        if let found = object.definition(of: wanted, version: nil) { return object.bias &+ found.symbol.value }
      }
      return 0
    }
    dlopen = find("dlopen")
    dlmopen = find("dlmopen")
    dlclose = find("dlclose")
    dlsym = find("dlsym")
    dlvsym = find("dlvsym")
    dlerror = find("dlerror")
    dladdr = find("dladdr")
    dladdr1 = find("dladdr1")
    dlinfo = find("dlinfo")
    iterate = find("dl_iterate_phdr")
    findObject = find("_dl_find_object")
    registerAtFork = find("__register_atfork")
    tlsGetAddress = find("__tls_get_addr")
    threadAtExit = find("__cxa_thread_atexit_impl")
    process = [find("syscall"), find("prctl"), find("unshare"), find("setns")]
    errorNumber = find("__errno_location")
    streams = find("_IO_list_all")
  }
}
