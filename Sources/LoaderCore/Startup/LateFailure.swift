import CKernel

/// How the program was started, for going back to its own loader when the host is up already.
struct FirstState {
  let situation: Start.Situation
  /// Started directly: the program's file, to be executed.
  let path: Path?
  /// Else what setinterp(1) remembered.
  let remembered: Path?
}

extension Start {
  /// Start-up goes on after the host is up. What fails here fails as it would have before: a mistake of the
  /// program's own is told, everything else makes the program run as if Luci were not there. No code of the program
  /// ran so far, and no thread was made.
  public static func goOn(_ program: Program, hostFinaliser: UInt64) -> Jump {
    do throws(LoadError) { return try program.finish(hostFinaliser: hostFinaliser) } catch {
      guard !error.isProgramsOwn, let first = program.firstState else { fail(error, name: program.name) }
      if let path = first.path { execute(path, first.situation, program.log, error) }
      return startOver(program, first, error)
    }
  }

  /// Started as interpreter: the executable gets the memory back that the kernel gave it, and its original loader the
  /// kernel's vector. The first C library stays mapped, and unused.
  static func startOver(_ program: Program, _ first: FirstState, _ error: LoadError) -> Jump {
    do throws(LoadError) { try program.mapExecutableAnew() } catch { fail(error, name: program.name) }
    program.forgetRestartableSequences()
    let original = first.remembered ?? Executable.originalInterpreter(ofFile: Path("/proc/self/exe"))
    return handOver(first.situation, program.log, error, remembered: original, own: program.ownStatus)
  }
}

extension Program {
  /// Takes back what relocation did to the executable: a loader that comes later adds to what it finds (DT_RELR), and
  /// writes where pages are read-only now.
  fileprivate func mapExecutableAnew() throws(LoadError) {
    let path = Path("/proc/self/exe")
    let file: FileDescriptor
    do throws(Errno) { file = try FileDescriptor.open(path) } catch { throw LoadError(.openFailed(error), path) }
    defer { file.close() }
    try ObjectMapper.mapAnew(executable, of: file, path: path)
  }

  /// The host had the kernel write the processor's number into its thread block (rseq(2)). The next C library asks for
  /// the same, and gets it only then. glibc tells where its area is, but for its size: 32 bytes, or more with newer
  /// kernels.
  fileprivate func forgetRestartableSequences() {
    guard let place = scope.find(SymbolName("__rseq_offset"), version: nil), place.symbol.isObject else { return }
    let area = Process.threadPointer &+ ProcessMemory.load(UInt64.self, at: place.address)
    for size in stride(from: 32, through: 256, by: 32) {
      // RSEQ_FLAG_UNREGISTER; the signature is glibc's RSEQ_SIG for x86.
      if luci_syscall4(Int(__NR_rseq), Int(bitPattern: UInt(area)), size, 1, 0x5305_3053) == 0 { return }
    }
  }
}
