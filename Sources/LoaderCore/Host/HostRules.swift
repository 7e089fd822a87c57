/// Which objects belong to the host, the C library's family with its own loader, and are left to it.
public enum HostRules {
  public static var glibcLoader: StaticString { "ld-linux-x86-64.so.2" }
  public static var glibcStandardLoader: StaticString { "/lib64/ld-linux-x86-64.so.2" }
  public static var muslLoader: StaticString { "ld-musl-x86_64.so.1" }
  public static var muslStandardLoader: StaticString { "/lib/ld-musl-x86_64.so.1" }

  private static func lastComponent(_ name: Bytes) -> Bytes {
    name.lastIndex(of: 47).flatMap { name.suffix(from: UInt64($0 + 1)) } ?? name
  }

  /// By name alone: the C library and its loader.
  public static func isHostName(_ name: Bytes) -> Bool {
    lastComponent(name) == Bytes("libc.so.6") || isLoaderName(name) || lastComponent(name).hasPrefix("libc.musl-")
  }

  public static func isHostName(_ path: Path) -> Bool { path.withBytes { isHostName($0) } }

  /// By its needs: whoever binds to GLIBC_PRIVATE shares structures with that very C library (libm, libresolv,
  /// libpthread, libdl, librt, libnss_*, …).
  public static func isHost(_ object: ObjectFile) -> Bool { object.versions.map { isHost($0) } ?? false }

  public static func isHost(_ versions: VersionTable) -> Bool {
    let marker = Bytes("GLIBC_PRIVATE")
    return versions.needs.contains { $0.name == marker }
  }

  /// Names that most often are the C library's: such files are looked at before they are mapped. Nothing else depends
  /// on it.
  static func isProbablyHost(_ name: Bytes) -> Bool {
    guard name.hasPrefix("lib") else { return false }
    for word in ["libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libresolv.so.2"] as [StaticString]
    where name == Bytes(word) {
      return true
    }
    return name.hasPrefix("libnss_")
  }

  /// The loader's own file among the host's: it is the interpreter, not a library to be needed.
  public static func isLoaderName(_ name: Bytes) -> Bool {
    lastComponent(name).hasPrefix("ld-linux-x86-64.so.") || isMuslLoader(name)
  }

  public static func isMuslLoader(_ name: Bytes) -> Bool { lastComponent(name).hasPrefix("ld-musl-") }

  /// What programs built for musl need as their C library: its own name, or that of distributions built on it.
  public static func isMuslLibrary(_ name: Bytes) -> Bool {
    name == Bytes("libc.so") || name.hasPrefix("libc.musl-")
  }

  /// In a program for musl: names that its loader takes for itself, whatever lies in the file system
  /// (musl's dynlink.c, load_library: lib{c,pthread,rt,m,dl,util,xnet}.…).
  public static func isReservedByMusl(_ name: Bytes) -> Bool {
    guard name.hasPrefix("lib"), let rest = name.suffix(from: 3) else { return false }
    for word in ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."] as [StaticString]
    where rest.hasPrefix(word) {
      return true
    }
    return false
  }
}
