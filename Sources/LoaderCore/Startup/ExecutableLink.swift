import CKernel

/// /proc/self/exe of a program that was started through `ld-luci.so PROGRAM`.
///
/// The kernel lets it name another file where the caller may checkpoint processes (root, also of a user namespace)
/// and nothing of the old file is mapped any more (prctl(2), PR_SET_MM_MAP). So the loader goes on from a copy of
/// itself at the same addresses. Code comes from the same file behind a mount of its own, where that can be made: the
/// kernel takes that for another file, and nothing is copied. Java and others find their homes that way. Anywhere else it names the
/// loader, as with the system's loader.
enum ExecutableLink {
  /// struct prctl_mm_map of linux/prctl.h.
  private struct Layout {
    var code = (UInt64(0), UInt64(0))
    var data = (UInt64(0), UInt64(0))
    var heap = (UInt64(0), UInt64(0))
    var stack: UInt64 = 0
    var arguments = (UInt64(0), UInt64(0))
    var environment = (UInt64(0), UInt64(0))
    var auxv: UInt64 = 0
    var auxvSize: UInt32 = 0
    var executable: UInt32 = 0
  }

  /// Makes /proc/self/exe name `path`; `firstArgument` is where the program's argv[0] lies. /proc/self/auxv becomes
  /// the program's, too: a debugger that is attached later takes the program's place in memory from both together.
  static func set(
    to path: Path, firstArgument: UInt64, own: UInt64, auxiliary: [InitialStack.AuxiliaryEntry]
  ) {
    guard Credentials.effectiveUser == 0, !isTraced, let file = try? FileDescriptor.open(path) else { return }
    defer { file.close() }
    guard var layout = currentLayout(), let loads = loadSegments(of: own) else { return }
    layout.executable = UInt32(file.number)
    // ps(1) shows what lies between these.
    if firstArgument > layout.arguments.0, firstArgument < layout.arguments.1 {
      layout.arguments.0 = firstArgument
    }
    // While the file is mapped this fails anyway: EBUSY says that all else is well.
    guard apply(&layout) == -Int(EBUSY) else { return }
    let twin = ownFileBehindMount()
    defer { twin?.close() }
    for load in loads {
      if let twin, !load.isWritable, remap(load, bias: own, twin) { continue }
      if !replaceByCopy(load, bias: own) { return }
    }
    var words: [UInt64] = []
    for entry in auxiliary { words += [entry.type, entry.value] as [UInt64] }
    words += [UInt64(AT_NULL), 0] as [UInt64]
    words.withUnsafeBytes {
      layout.auxv = UInt64(UInt(bitPattern: $0.baseAddress))
      layout.auxvSize = UInt32($0.count)
      if apply(&layout) == 0 { return }
      // More entries than this kernel keeps.
      layout.auxv = 0
      layout.auxvSize = 0
      _ = apply(&layout)
    }
  }

  /// A debugger's breakpoints in the loader's code would be lost with the mapping (TracerPid of proc(5)).
  private static var isTraced: Bool {
    guard let file = try? FileDescriptor.open(Path("/proc/self/status")) else { return false }
    defer { file.close() }
    guard let text = try? file.beginning(size: 2048) else { return false }
    return text.withUnsafeBytes { bytes in
      let content = Bytes(bytes)
      for index in 0..<content.count where content[index] == 10 {
        guard let line = content.suffix(from: UInt64(index + 1)), line.hasPrefix("TracerPid:\t") else { continue }
        return line[11] != 48
      }
      return false
    }
  }

  private static func apply(_ layout: inout Layout) -> Int {
    withUnsafeMutablePointer(to: &layout) {
      luci_syscall6(
        Int(__NR_prctl), Int(PR_SET_MM), Int(PR_SET_MM_MAP), Int(bitPattern: $0), MemoryLayout<Layout>.size, 0, 0)
    }
  }

  /// What the kernel has now: numbers 26 to 28 and 45 to 51 of /proc/self/stat (proc(5)), and brk(2).
  private static func currentLayout() -> Layout? {
    guard let file = try? FileDescriptor.open(Path("/proc/self/stat")) else { return nil }
    defer { file.close() }
    guard let text = try? file.beginning(size: 2048) else { return nil }
    // The name, in parentheses, may hold anything.
    guard let end = text.lastIndex(of: 41) else { return nil }
    var numbers: [UInt64] = []
    var value: UInt64 = 0
    for byte in text[(end + 2)...] {
      if byte == 32 || byte == 10 {
        numbers.append(value)
        value = 0
      } else if byte >= 48, byte <= 57 {
        value = value &* 10 &+ UInt64(byte - 48)
      }
    }
    // The first one behind the name is number 3.
    guard numbers.count > 48 else { return nil }
    var layout = Layout()
    layout.code = (numbers[23], numbers[24])
    layout.stack = numbers[25]
    layout.data = (numbers[42], numbers[43])
    layout.heap = (numbers[44], UInt64(UInt(bitPattern: luci_syscall1(Int(__NR_brk), 0))))
    layout.arguments = (numbers[45], numbers[46])
    layout.environment = (numbers[47], numbers[48])
    return layout
  }

  private static func loadSegments(of own: UInt64) -> [LoadSegment]? {
    let headerBytes = ProcessMemory.bytes(at: own, count: UInt64(MemoryLayout<Elf64_Ehdr>.size))
    guard let header = try? FileHeader(headerBytes) else { return nil }
    let size = UInt64(header.programHeaderCount * MemoryLayout<Elf64_Phdr>.size)
    let table = ProcessMemory.bytes(at: own &+ header.programHeaderOffset, count: size)
    return (try? Segments(table: table, at: header.programHeaderOffset, fileSize: 1 << 47))?.loads
  }

  /// The loader's file behind a mount that goes when its last use does (open_tree(2)). Needs CAP_SYS_ADMIN.
  ///
  /// In a mount of the whole root directory it has its path, which /proc/PID/maps shows. Where it lies on another file
  /// system, it gets a mount alone, and the path is `/`: checkrestart(8) takes that for a file that was replaced.
  private static func ownFileBehindMount() -> FileDescriptor? {
    let link = Path("/proc/self/exe")
    if let path = try? link.linkTarget(), path.isAbsolute, let own = try? FileDescriptor.status(of: link),
      let tree = mount(of: Path("/"))
    {
      defer { tree.close() }
      let relative = path.withBytes { Path($0.suffix(from: 1) ?? $0) }
      let number = relative.withCString {
        luci_syscall4(Int(__NR_openat), Int(tree.number), $0, Int(O_RDONLY | O_CLOEXEC | O_NOFOLLOW), 0)
      }
      if number >= 0 {
        let file = FileDescriptor(Int32(number))
        if let status = try? file.status(), status.isSameFile(as: own) { return file }
        file.close()
      }
    }
    guard let tree = mount(of: link) else { return nil }
    defer { tree.close() }
    var text = Text("/proc/self/fd/")
    text.append(decimal: UInt64(tree.number))
    return try? FileDescriptor.open(Path(text))
  }

  private static func mount(of path: Path) -> FileDescriptor? {
    let tree = path.withCString {
      luci_syscall3(Int(__NR_open_tree), Int(AT_FDCWD), $0, Int(OPEN_TREE_CLONE) | Int(O_CLOEXEC))
    }
    return tree >= 0 ? FileDescriptor(Int32(tree)) : nil
  }

  private static func remap(_ load: LoadSegment, bias: UInt64, _ file: FileDescriptor) -> Bool {
    let mask = Segments.pageSize - 1
    let start = (bias &+ load.address) & ~mask
    let size = ((bias &+ load.end + mask) & ~mask) - start
    let protection = Mapping.Protection(segmentFlags: load.flags)
    return (try? Mapping.file(file, offset: load.fileOffset & ~mask, size, protection, at: start)) != nil
  }

  /// From the copy on nothing may be written to the segment until the copy is in its place: nothing is allocated
  /// here. The code that runs goes on in the copy without noticing.
  private static func replaceByCopy(_ load: LoadSegment, bias: UInt64) -> Bool {
    let start = (bias &+ load.address) & ~(Segments.pageSize - 1)
    let size = ((bias &+ load.end + Segments.pageSize - 1) & ~(Segments.pageSize - 1)) - start
    let flags = Int(MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE)
    let copy = luci_syscall6(Int(__NR_mmap), 0, Int(size), Int(PROT_READ | PROT_WRITE), flags, -1, 0)
    if copy < 0, copy > -4096 { return false }
    let protection = Mapping.Protection(segmentFlags: load.flags).rawValue
    ProcessMemory.copy(from: start, to: UInt64(UInt(bitPattern: copy)), count: size)
    _ = luci_syscall3(Int(__NR_mprotect), copy, Int(size), protection)
    let moved = luci_syscall6(
      Int(__NR_mremap), copy, Int(size), Int(size), Int(MREMAP_MAYMOVE | MREMAP_FIXED), Int(bitPattern: UInt(start)),
      0)
    return moved == Int(bitPattern: UInt(start))
  }
}
