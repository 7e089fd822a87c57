import CKernel

/// Thread-local storage of objects that are opened later: modules with numbers of Luci's own, and for each thread a
/// table of the blocks that it has used so far (docs of the ELF TLS ABI: "dynamic thread vector").
///
/// The program's `__tls_get_addr` and TLS descriptors look the table up in assembler (Sources/CBoot/tls.S) and come
/// here for a block that does not exist yet. A thread's table hangs on a word at the start of its part of the merged
/// segment, which the C library sets to zero for each new thread. Nothing tells Luci that a thread has ended, as
/// calling into the C library is out of the question where a descriptor is resolved: instead tables of threads that
/// are gone are given back when there are twice as many as were left the last time, so what waits is bounded by
/// what is in use.
public final class TLSModules {
  /// The host counts its modules from 1 and is far from ever getting here; not larger than needed, since sanitizers
  /// keep a table of their own by number. Known to tls.S.
  public static var firstModule: UInt64 { 4096 }

  private struct Module {
    /// Where the initial image lies in memory.
    var image: UInt64
    var segment: TLSSegment
    var isUsed: Bool
  }

  private struct ThreadTable {
    let threadPointer: UInt64
    var thread: Int
    var table: UInt64
  }

  private let lock = Lock()
  private var modules: [Module] = []
  private var threads: [ThreadTable] = []
  private var process = Process.identifier
  private var heldBytes: UInt64 = 0
  private var sweepCount = TLSModules.minimumSweepCount
  private var sweepBytes = TLSModules.minimumSweepBytes

  /// When threads have thread pointers.
  func identifyThreadsByPointer() { lock.identifyByThreadPointer() }

  static var minimumSweepCount: Int { 32 }
  static var minimumSweepBytes: UInt64 { 4 << 20 }

  public init() {}

  // MARK: Modules

  /// The number of a new module with this initial image.
  func add(_ segment: TLSSegment, image: UInt64) -> UInt64 {
    let mask = enter()
    defer { leave(mask) }
    let module = Module(image: image, segment: segment, isUsed: true)
    for index in 0..<modules.count where !modules[index].isUsed {
      modules[index] = module
      return TLSModules.firstModule + UInt64(index)
    }
    modules.append(module)
    return TLSModules.firstModule + UInt64(modules.count - 1)
  }

  /// The object goes: no thread may use its variables any more.
  func remove(_ number: UInt64) {
    let mask = enter()
    defer { leave(mask) }
    let index = number &- TLSModules.firstModule
    guard index < UInt64(modules.count) else { return }
    for thread in threads { giveBack(index, of: thread.table) }
    modules[Int(index)].isUsed = false
  }

  // MARK: Blocks

  /// The calling thread's block, made at the first use. 0: there is no such module.
  ///
  /// `word` is the address of the thread's word for its table. Signals are blocked, so that a handler which uses
  /// such a variable for the first time never sees a table half made.
  public func block(_ index: UInt64, threadPointer: UInt64, word: UInt64) -> UInt64 {
    let mask = enter()
    defer { leave(mask) }
    guard index < UInt64(modules.count), modules[Int(index)].isUsed else { return 0 }
    let table = table(at: word, threadPointer, count: UInt64(modules.count))
    let slot = table + 8 + index * 8
    let known = ProcessMemory.load(UInt64.self, at: slot)
    if known != 0 { return known }
    let block = makeBlock(modules[Int(index)])
    ProcessMemory.store(block, at: slot)
    return block
  }

  /// The calling thread's block if it has one.
  func existingBlock(_ number: UInt64, word: UInt64) -> UInt64 {
    let table = ProcessMemory.load(UInt64.self, at: word)
    let index = number &- TLSModules.firstModule
    guard table != 0, index < ProcessMemory.load(UInt64.self, at: table) else { return 0 }
    return ProcessMemory.load(UInt64.self, at: table + 8 + index * 8)
  }

  /// The thread's table with room for `count` modules.
  private func table(at word: UInt64, _ threadPointer: UInt64, count: UInt64) -> UInt64 {
    let old = ProcessMemory.load(UInt64.self, at: word)
    if old == 0 { forgetThread(threadPointer) }
    if old != 0, ProcessMemory.load(UInt64.self, at: old) >= count { return old }
    var capacity: UInt64 = 14
    while capacity < count { capacity = capacity * 2 + 2 }
    let new = TLSModules.allocate(8 + capacity * 8)
    if old == 0 {
      sweep()
      threads.append(ThreadTable(threadPointer: threadPointer, thread: Process.thread, table: new))
    } else {
      ProcessMemory.copy(from: old + 8, to: new + 8, count: ProcessMemory.load(UInt64.self, at: old) * 8)
      for index in 0..<threads.count where threads[index].table == old { threads[index].table = new }
    }
    ProcessMemory.store(capacity, at: new)
    ProcessMemory.storeAtomically(new, at: word)
    if old != 0 { ProcessMemory.pointer(old).deallocate() }
    return new
  }

  private static func allocate(_ size: UInt64) -> UInt64 {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Int(size), alignment: 16)
    let address = UInt64(UInt(bitPattern: memory))
    ProcessMemory.zero(address, count: size)
    return address
  }

  /// From this size on a block is a mapping of its own, whose pages cost nothing before they are used.
  private static var mappingSize: UInt64 { 64 << 10 }

  /// Two words lie in front of a block: the size and the start of what was allocated, as in glibc 2.19, where
  /// sanitizers look for them.
  private func makeBlock(_ module: Module) -> UInt64 {
    let segment = module.segment
    let alignment = max(segment.alignment, 16)
    let size = segment.memorySize + alignment + 16
    let start: UInt64
    if size < TLSModules.mappingSize {
      start = TLSModules.allocate(size)
    } else {
      guard let mapping = try? Mapping.anonymous(size, .readWrite) else { TLSModules.failForMemory() }
      start = mapping
    }
    // The block's address is congruent to the segment's modulo its alignment.
    let skew = segment.address & (alignment - 1)
    let block = ((start + 16 + alignment - 1 - skew) & ~(alignment - 1)) + skew
    ProcessMemory.store(size, at: block - 16)
    ProcessMemory.store(start, at: block - 8)
    ProcessMemory.copy(from: module.image, to: block, count: segment.fileSize)
    heldBytes += size
    return block
  }

  private func giveBack(_ index: UInt64, of table: UInt64) {
    guard index < ProcessMemory.load(UInt64.self, at: table) else { return }
    let slot = table + 8 + index * 8
    let block = ProcessMemory.load(UInt64.self, at: slot)
    if block == 0 { return }
    ProcessMemory.store(UInt64(0), at: slot)
    let size = ProcessMemory.load(UInt64.self, at: block - 16)
    let start = ProcessMemory.load(UInt64.self, at: block - 8)
    heldBytes -= size
    if size < TLSModules.mappingSize { ProcessMemory.pointer(start).deallocate() } else { Mapping.unmap(start, size) }
  }

  /// As glibc's loader: a thread that needs a variable can't go on without it.
  private static func failForMemory() -> Never {
    Bytes("cannot allocate memory for thread-local data: ABORT\n").withUnsafeBytes {
      try? FileDescriptor.standardError.writeAll(Bytes($0))
    }
    Process.exit(127)
  }

  // MARK: Threads that are gone

  private func giveBack(_ thread: ThreadTable) {
    for index in 0..<UInt64(modules.count) { giveBack(index, of: thread.table) }
    ProcessMemory.pointer(thread.table).deallocate()
  }

  /// A thread without a table whose thread pointer is known came after one that is gone.
  private func forgetThread(_ threadPointer: UInt64) {
    guard let index = threads.firstIndex(where: { $0.threadPointer == threadPointer }) else { return }
    giveBack(threads[index])
    threads.swapAt(index, threads.count - 1)
    threads.removeLast()
  }

  /// Gives back what threads left that the kernel does not know any more. In a process that was forked without its
  /// handlers, or borrows its parent's memory (vfork), thread ids tell nothing.
  private func sweep() {
    guard threads.count >= sweepCount || heldBytes >= sweepBytes, Process.identifier == process else { return }
    var remaining: [ThreadTable] = []
    for thread in threads {
      if Process.hasThread(thread.thread) { remaining.append(thread) } else { giveBack(thread) }
    }
    threads = remaining
    sweepCount = max(TLSModules.minimumSweepCount, threads.count * 2)
    sweepBytes = max(TLSModules.minimumSweepBytes, heldBytes * 2)
  }

  // MARK: Locking

  private func enter() -> UInt64 {
    let mask = Signal.block(UInt64.max)
    lock.lock()
    return mask
  }

  private func leave(_ mask: UInt64) {
    lock.unlock()
    Signal.restore(mask)
  }

  func beforeFork() { lock.lock() }

  func afterForkInParent() { lock.unlock() }

  /// Only the thread that forked goes on, under another id.
  func afterForkInChild(threadPointer: UInt64) {
    lock.adoptAfterFork()
    process = Process.identifier
    var remaining: [ThreadTable] = []
    for var thread in threads {
      if thread.threadPointer == threadPointer {
        thread.thread = Process.thread
        remaining.append(thread)
      } else {
        giveBack(thread)
      }
    }
    threads = remaining
    lock.unlock()
  }
}
