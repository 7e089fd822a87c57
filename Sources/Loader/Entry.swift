import CBoot
import CKernel

/// The running program; nil before start-up made it. Written once, before other threads exist.
nonisolated(unsafe) var runningProgram: Program?

@_cdecl("luci_start_swift")
public func luciStart(_ stack: UInt64, _ jump: UnsafeMutablePointer<luci_jump>) {
  let (next, program) = Start.run(stackAddress: stack, gates: makeGates())
  runningProgram = program
  luci_set_stack_gap(program.map { $0.programStack.size + 64 } ?? 0)
  jump.pointee = luci_jump(entry: next.entry, stack: next.stack, rdx: next.rdx)
}

/// The host's loader is done; its finaliser comes in rdx.
@_cdecl("luci_resume_swift")
public func luciResume(_ hostFinaliser: UInt64, _ jump: UnsafeMutablePointer<luci_jump>) {
  guard let program = runningProgram else { Process.exit(127) }
  let next = Start.goOn(program, hostFinaliser: hostFinaliser)
  jump.pointee = luci_jump(entry: next.entry, stack: next.stack, rdx: next.rdx)
}

@_cdecl("luci_finalise_swift")
public func luciFinalise() {
  runningProgram?.finalise()
}

/// A lazily bound function that no object defines was called.
@_cdecl("luci_missing_function")
public func luciMissingFunction(_ linkMap: UInt64, _ index: UInt64) {
  runningProgram?.reportMissingFunction(linkMap, index)
  Process.exit(127)
}

@_cdecl("luci_helper_main")
public func luciHelperMain(_ argument: UInt64) {
  if argument == 1 {
    runningProgram?.runFaultServer()
  } else {
    runningProgram?.runHelper()
  }
  Process.exitThread()
}

/// A gated function was called; returns the function to go on with.
@_cdecl("luci_pass_gate")
public func luciPassGate(_ index: UInt64, _ frame: UInt64) -> UInt64 {
  runningProgram?.passGate(index, frame: frame) ?? 0
}

@_cdecl("luci_update")
public func luciUpdate(_ frame: UnsafeRawPointer?) -> Int32 {
  runningProgram?.updatePoint(frame: UInt64(UInt(bitPattern: frame))) ?? 0
}

/// A lazily bound function is called (LD_BIND_NOT).
@_cdecl("luci_look_up_call")
public func luciLookUpCall(_ linkMap: UInt64, _ index: UInt64) -> UInt64 {
  guard let program = runningProgram else { Process.exit(127) }
  let function = program.lookUpCall(linkMap, index)
  if function != 0 { return function }
  program.reportMissingFunction(linkMap, index)
  Process.exit(127)
}

@_cdecl("luci_before_alone")
public func luciBeforeAlone(_ flags: Int) { runningProgram?.beforeAlone(flags: flags) }

@_cdecl("luci_after_alone")
public func luciAfterAlone() { runningProgram?.afterAlone() }

@_cdecl("luci_before_seccomp")
public func luciBeforeSeccomp(_ endsUpdates: Int32) { runningProgram?.beforeSeccomp(endsUpdates: endsUpdates != 0) }

@_cdecl("luci_after_seccomp")
public func luciAfterSeccomp(_ failed: Int32) { if failed != 0 { runningProgram?.afterFailedSeccomp() } }

@_cdecl("luci_before_thread_exit")
public func luciBeforeThreadExit() { runningProgram?.beforeThreadExit() }

/// A thread uses an opened object's variables for the first time; `index` counts Luci's modules from 0.
@_cdecl("luci_tls_block")
public func luciTLSBlock(_ index: UInt64) -> UInt64 { runningProgram?.makeTLSBlock(index) ?? 0 }

/// A variable of a thread gets a destructor that lies in the object with this handle; nil: nothing to count.
@_cdecl("luci_pending_thread_destructors")
public func luciPendingThreadDestructors(_ handle: UnsafeRawPointer?) -> UnsafeMutableRawPointer? {
  UnsafeMutableRawPointer(
    bitPattern: UInt(runningProgram?.threadDestructors(of: UInt64(UInt(bitPattern: handle))) ?? 0))
}

@_cdecl("luci_before_fork")
public func luciBeforeFork() { runningProgram?.beforeFork() }

@_cdecl("luci_after_fork_in_parent")
public func luciAfterForkInParent() { runningProgram?.afterForkInParent() }

@_cdecl("luci_after_fork_in_child")
public func luciAfterForkInChild() { runningProgram?.afterForkInChild() }

func makeGates() -> Gates {
  var gates = Gates()
  gates.continuation = luci_continuation_address()
  gates.finaliser = luci_finaliser_address()
  gates.tlsDescriptor = luci_tlsdesc_static_address()
  gates.dynamicTLSDescriptor = luci_tlsdesc_dynamic_address()
  gates.setTLS = luci_set_tls
  gates.programInterposers = [
    StandIn.Export(name: "__tls_get_addr", address: luci_tls_get_addr_address()),
    StandIn.Export(name: "__cxa_thread_atexit_impl", address: luci_thread_atexit_address()),
    StandIn.Export(name: "__luci_update", address: luci_update_address()),
  ]
  gates.setThreadAtExit = luci_set_host_thread_atexit
  gates.missingFunction = luci_missing_function_address()
  gates.interposers = makeInterposers()
  gates.selfRange = AddressRange(start: luci_self_start(), end: luci_self_end())
  gates.prefix = Path(Bytes(cString: UnsafeRawPointer(luci_prefix())))
  gates.selfEntry = luci_entry_address()
  gates.selfDynamic = luci_self_dynamic()
  gates.debuggerBreakpoint = _dl_debug_state
  gates.lookUp = { luci_call_entry_address() }
  gates.processCall = luci_process_call
  gates.gateEntry = { luci_gate_entry_address() }
  gates.forkPrepare = luci_fork_handler_address(0)
  gates.forkParent = luci_fork_handler_address(1)
  gates.forkChild = luci_fork_handler_address(2)
  gates.heapLock = luci_heap_lock
  gates.heapRegions = luci_heap_regions
  gates.heapUnlock = luci_heap_unlock
  gates.heapKeep = luci_heap_keep
  gates.startHelper = { stack, argument in luci_start_helper(stack, argument) }
  return gates
}

@main
struct Loader {
  static func main() {}
}
