/// Which objects belong to the host, the C library's family with its own loader, and are left to it.
public enum HostRules {
  /// By name alone: the C library and its loader.
  public static func isHostName(_ name: Bytes) -> Bool {
    let last = name.lastIndex(of: 47).flatMap { name.suffix(from: UInt64($0 + 1)) } ?? name
    return last == Bytes("libc.so.6") || last.hasPrefix("ld-linux-x86-64.so.") || last.hasPrefix("libc.musl-")
      || last.hasPrefix("ld-musl-")
  }

  /// By its needs: whoever binds to GLIBC_PRIVATE shares structures with that very C library (libm, libresolv,
  /// libpthread, libdl, librt, libnss_*, …).
  public static func isHost(_ object: ObjectFile) -> Bool {
    let marker = Bytes("GLIBC_PRIVATE")
    return object.versions?.needs.contains { $0.name == marker } ?? false
  }

  /// The loader's own file among the host's: it is the interpreter, not a library to be needed.
  public static func isLoaderName(_ name: Bytes) -> Bool {
    let last = name.lastIndex(of: 47).flatMap { name.suffix(from: UInt64($0 + 1)) } ?? name
    return last.hasPrefix("ld-linux-x86-64.so.") || last.hasPrefix("ld-musl-")
  }
}
