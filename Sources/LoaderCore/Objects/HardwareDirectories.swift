import CKernel

/// Subdirectories with libraries for newer processors: glibc-hwcaps/x86-64-v4 down to -v2 (ld.so(8), "Hardware
/// capabilities"; the levels are those of the x86-64 psABI).
struct HardwareDirectories {
  /// Names of the levels that this processor has, the best first.
  ///
  /// Found out when first needed: cpuid is slow in virtual machines, and few systems have such directories.
  private(set) lazy var names = HardwareDirectories.levels()
  var isUsed = true
  private var known: [(directory: Path, subdirectories: [Path])] = []

  private static func levels() -> [StaticString] {
    let level = luci_processor_level()
    var names: [StaticString] = []
    if level >= 4 { names.append("x86-64-v4") }
    if level >= 3 { names.append("x86-64-v3") }
    if level >= 2 { names.append("x86-64-v2") }
    return names
  }

  /// Those that exist; each directory is looked into once.
  mutating func subdirectories(of directory: Path) -> [Path] {
    if !isUsed { return [] }
    for entry in known where entry.directory == directory { return entry.subdirectories }
    var result: [Path] = []
    let base = directory.appending(Bytes("glibc-hwcaps"))
    if (try? FileDescriptor.status(of: base))?.isDirectory ?? false {
      for name in names {
        let path = base.appending(Bytes(name))
        if (try? FileDescriptor.status(of: path))?.isDirectory ?? false { result.append(path) }
      }
    }
    known.append((directory, result))
    return result
  }
}
