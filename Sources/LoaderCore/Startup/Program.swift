import CKernel

/// Where control goes when a stage is done: a stack pointer and rdx are set, then it jumps.
public struct Jump {
  public var entry: UInt64
  public var stack: UInt64
  public var rdx: UInt64 = 0

  public init(entry: UInt64, stack: UInt64, rdx: UInt64 = 0) {
    self.entry = entry
    self.stack = stack
    self.rdx = rdx
  }
}

/// Addresses of code outside Swift that the loader hands out (Sources/CBoot); tests have none.
public struct Gates {
  /// AT_ENTRY of the stand-in.
  public var continuation: UInt64 = 0
  /// rdx at the program's entry.
  public var finaliser: UInt64 = 0
  public var tlsDescriptor: UInt64 = 0
  public var dynamicTLSDescriptor: UInt64 = 0
  /// Tells tls.S the distance from the thread pointer to the merged segment, and the host's __tls_get_addr.
  public var setThreadAtExit: @convention(c) (UInt64) -> Void = { _ in }
  public var setTLS: @convention(c) (UInt64, UInt64) -> Void = { _, _ in }
  public var missingFunction: UInt64 = 0
  /// Looks the function of a PLT entry up, and goes on there (gate.S).
  public var lookUp: @convention(c) () -> UInt64 = { 0 }
  /// Functions that programs are bound to in place of the C library's.
  public var interposers: [StandIn.Export] = []
  /// The same, but host objects keep their own.
  public var programInterposers: [StandIn.Export] = []
  /// The loader's own image and entry.
  public var selfRange = AddressRange(start: 0, end: 0)
  public var selfEntry: UInt64 = 0
  /// Directory of the configuration files.
  public var prefix = Path("/opt/luci")
  public var selfDynamic: UInt64 = 0
  /// Where debuggers stop when objects come or go.
  public var debuggerBreakpoint: @convention(c) () -> Void = {}
  /// Starts the helper thread on a stack; returns its id or -errno.
  public var startHelper: @convention(c) (UInt64, UInt64) -> Int = { _, _ in -38 }
  /// Where stubs of gated functions go (gate.S).
  public var gateEntry: @convention(c) () -> UInt64 = { 0 }
  /// What programs are bound to in place of the host's function with the given index (Sources/CBoot/process.c).
  public var processCall: @convention(c) (Int32, UInt64) -> UInt64 = { _, _ in 0 }
  public var forkPrepare: UInt64 = 0
  public var forkParent: UInt64 = 0
  public var forkChild: UInt64 = 0
  public var heapLock: @convention(c) () -> Void = {}
  /// Start and end of each mapping of the loader's heap, as many as the words hold; returns how many it takes.
  public var heapRegions: @convention(c) (UnsafeMutablePointer<UInt64>?, Int) -> Int = { _, _ in 0 }
  public var heapUnlock: @convention(c) () -> Void = {}
  /// 1: large blocks that are given back are kept for the next that are taken; 0: no longer.
  public var heapKeep: @convention(c) (Int32) -> Void = { _ in }

  public init() {}
}

/// The running program: its objects, the host beneath, and what Luci keeps about them.
public final class Program {
  public let gates: Gates
  public let settings: Settings
  public let log: Log
  public let status: StatusReporter
  public let executable: LoadedObject
  public let graph: ObjectGraph
  public let search: LibrarySearch
  public let factory: ObjectFactory
  public var tls: TLSLayout
  public let tlsModules = TLSModules()
  var hostTLSCount = 0
  public var standIn: StandIn?
  public var scope = Scope()
  public var hostObjects: [LoadedObject] = []
  public var hostFinaliser: UInt64 = 0
  var host = HostCalls()
  var hostChoices = HostChoices()
  var updater: Updater?
  /// Whether outdated code still runs; exists with the updater.
  var stale: StaleDetector?
  var helperThread: Int32 = 0
  /// Where the helper may run once it does; nil: anywhere from the beginning.
  var helperProcessors: ProcessorSet?
  /// LD_DEBUG; nil where nothing is asked for.
  var trace: DebugTrace?
  let entryStubs = EntryStubs()
  let gateStubs = GateStubs()
  /// An update that waits for a program thread; under the lock.
  var gatedUpdate: GatedUpdate?
  /// Calls that come to a gate wait for the work instead of going on with old code, whose state is being handed over.
  var gateWaits = false
  /// Held while an update is prepared and made, by whichever thread; taken before `lock`.
  let updateLock = Lock()
  /// Something in the process was bound to `__luci_update`, or got its address from dlsym.
  var isUpdatePointBound = false
  var isUpdatePointHandedOut = false
  var forkingThread = 0
  var isForked = false
  /// A thread of the program is in seccomp or in a user namespace of its own, and others may be.
  var isConfined = false
  /// The helper is asked to end, and was ended to come back.
  var isHelperToEnd = false
  var isHelperInterrupted = false
  var namespaceBefore: UInt64 = 0
  /// The helper's stack, which the next one takes over when the thread is gone.
  var helperStack: UInt64 = 0
  var runningHelperStack: UInt64 = 0
  var lastHelperThread: Int32 = 0
  /// Whether this is the moment for it is being looked at: who comes to a gate waits for the lock.
  var isJudging = false
  let hold = GateHold()
  /// Where signal handlers return to in the host's code, and memory to look for it; see `prepareForSignals`.
  var restorers: [UInt64] = []
  var stackRoom: SignalFrame.Room?
  /// Whether the helper thread runs in this process.
  public var hasHelper = false

  /// The vector that the program will see, and where it lies once written.
  public var programStack: InitialStack
  public var programStackAddress: UInt64 = 0
  /// The vector that the host's loader was started with.
  public var hostStack: InitialStack
  public var entry: UInt64 = 0
  /// PT_INTERP of the executable, where that is not Luci.
  public var interpreter: Path?
  /// What debuggers call the loader and, where it was started directly, the program.
  var loaderPath: Path?
  var executablePath = Path("")
  /// For a failure while the program's objects are relocated.
  var firstState: FirstState?
  /// The loader's own file.
  public var ownStatus: FileStatus?
  /// argv[0], for messages.
  public var name: Path

  /// Objects whose constructors ran, in that order.
  public var initialised: [LoadedObject] = []
  /// Program objects by address, and everything else that looks into them from any thread.
  public let registry = ObjectRegistry()
  public let lock = Lock()
  let linkMaps = LinkMaps()
  let debugger: Debugger
  private let callLookUp: UInt64
  var uniqueSymbols = UniqueSymbols()
  /// Host objects that were opened later without RTLD_GLOBAL, or that the host opened for itself.
  var openedHosts = Scope()

  public init(
    gates: Gates, settings: Settings, log: Log, executable: LoadedObject, search: LibrarySearch,
    factory: ObjectFactory, stack: InitialStack, name: Path
  ) {
    self.gates = gates
    self.settings = settings
    self.log = log
    status = StatusReporter(settings, log: log)
    self.executable = executable
    self.search = search
    self.factory = factory
    self.name = name
    callLookUp = settings.looksUpAtEachCall && !settings.bindsNow ? gates.lookUp() : 0
    debugger = Debugger(breakpoint: gates.debuggerBreakpoint)
    graph = ObjectGraph(search: search, factory: factory)
    tls = TLSLayout()
    programStack = stack
    hostStack = stack
  }

  /// Start of the calling thread's block of the merged TLS segment.
  public var tlsBlock: UInt64 { Process.threadPointer &- tls.size }
}

extension Program: RelocationContext {
  public func definition(
    of name: SymbolName, version: SymbolVersion?, from object: LoadedObject, excluding: Scope.Exclusion
  ) -> Definition? {
    let found = find(name, version: version, from: object, excluding: excluding)
    if let trace { tell(trace, name, version, object, found) }
    return found
  }

  private func tell(
    _ trace: DebugTrace, _ name: SymbolName, _ version: SymbolVersion?, _ object: LoadedObject, _ found: Definition?
  ) {
    trace.lookUps += 1
    if trace.wants(.symbols) {
      for candidate in scope.objects {
        trace.lookUp(name.bytes, in: candidate)
        if candidate === found?.object { break }
      }
    }
    if let found { trace.binding(name.bytes, version, of: object, to: found.object) }
  }

  private func find(
    _ name: SymbolName, version: SymbolVersion?, from object: LoadedObject, excluding: Scope.Exclusion
  ) -> Definition? {
    if object.isSymbolic, let own = object.definition(of: name, version: version) {
      return Definition(object: object, index: own.index, symbol: own.symbol)
    }
    if object.prefersLocalScope,
      let found = object.localScope?.find(name, version: version, excluding: excluding)
    {
      return found
    }
    return scope.find(name, version: version, excluding: excluding)
      ?? object.localScope?.find(name, version: version, excluding: excluding)
      ?? openedHosts.find(name, version: version, excluding: excluding)
  }

  public func interposer(for name: Bytes) -> UInt64? {
    // All others begin with "dl" or "_".
    guard name.count > 4, name[0] == 95 || (name[0] == 100 && name[1] == 108) else { return processCall(name) }
    for export in gates.interposers where Bytes(export.name) == name { return export.address }
    for export in gates.programInterposers where Bytes(export.name) == name {
      // Not every C library has this one, and its absence means something.
      if name == Bytes("__cxa_thread_atexit_impl"), host.threadAtExit == 0 { return nil }
      if name == Bytes(Program.updatePointName) {
        isUpdatePointBound = true
        // At start-up this comes later, when the host is known.
        if updater != nil { prepareForSignals() }
      }
      return export.address
    }
    return nil
  }

  /// syscall, prctl, unshare, setns, where there may be a helper thread.
  private func processCall(_ name: Bytes) -> UInt64? {
    guard name.count >= 5, name.count <= 7, name[0] == 115 || name[0] == 112 || name[0] == 117, factory.keepsContent
    else { return nil }
    let names: [StaticString] = ["syscall", "prctl", "unshare", "setns"]
    for index in 0..<names.count where name == Bytes(names[index]) {
      guard host.process[index] != 0 else { return nil }
      let own = gates.processCall(Int32(index), host.process[index])
      return own == 0 ? nil : own
    }
    return nil
  }

  public func resolveHostFunction(at resolver: UInt64) -> UInt64? {
    if let known = hostChoices.choice(of: resolver) { return known }
    let choice = ForeignCall.word(resolver)
    hostChoices.note(choice, of: resolver)
    return choice
  }

  /// Tracing wants to see each look-up.
  public var lookupRun: LookupRun? { trace == nil ? scope.run : nil }
  public var lookupRunIsComplete: Bool { openedHosts.objects.isEmpty }

  public var tlsBase: UInt64 { tls.threadPointerBase }
  public var tlsDescriptorResolver: UInt64 { gates.tlsDescriptor }
  /// With LD_BIND_NOW a missing function is an error at start.
  public var missingFunctionHandler: UInt64? {
    gates.missingFunction == 0 || settings.bindsNow ? nil : gates.missingFunction
  }
  public var dynamicTLSDescriptorResolver: UInt64 { gates.dynamicTLSDescriptor }
  public var lookUpAtEachCall: UInt64? {
    callLookUp == 0 ? nil : callLookUp
  }
}
