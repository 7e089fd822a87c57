import CBoot
import CKernel

@_cdecl("luci_start_swift")
public func luciStart(_ stack: UInt64, _ jump: UnsafeMutablePointer<luci_jump>) {
  _ = luci_syscall3(Int(__NR_exit_group), 0, 0, 0)
}

@_cdecl("luci_resume_swift")
public func luciResume(_ hostFinaliser: UInt64, _ jump: UnsafeMutablePointer<luci_jump>) {
}

@_cdecl("luci_helper_main")
public func luciHelperMain(_ argument: UInt64) {
}

@main
struct Loader {
  static func main() {}
}
