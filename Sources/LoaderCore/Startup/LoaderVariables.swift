/// Variables of the environment that loaders act on or pass on.
extension InitialStack {
  /// What a loader takes for itself is Luci's business: the host must not act on it a second time.
  public mutating func removeLoaderVariables() {
    remove([
      "LD_PRELOAD", "LD_AUDIT", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_TRACE_LOADED_OBJECTS", "LD_SHOW_AUXV",
      "LD_BIND_NOW", "LD_BIND_NOT", "LD_DYNAMIC_WEAK", "LD_VERBOSE", "LD_WARN", "LD_PROFILE",
    ])
  }

  /// Variables that let the caller of a set-user-ID program choose what it loads, reads or writes: glibc's loader
  /// takes them out of the environment (its unsecure_envvars, and its malloc's), so that programs which that one
  /// starts do not get them either. Luci's own are among them.
  public mutating func removeUnsafeVariables() {
    remove([
      "GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "HOSTALIASES", "LD_AUDIT", "LD_BIND_NOT", "LD_DEBUG",
      "LD_DEBUG_OUTPUT", "LD_DYNAMIC_WEAK", "LD_HWCAP_MASK", "LD_LIBRARY_PATH", "LD_ORIGIN_PATH", "LD_PRELOAD",
      "LD_PREFER_MAP_32BIT_EXEC", "LD_PROFILE", "LD_PROFILE_OUTPUT", "LD_SHOW_AUXV", "LD_USE_LOAD_BIAS", "LD_VERBOSE",
      "LD_WARN", "LOCALDOMAIN", "LOCPATH", "MALLOC_ARENA_MAX", "MALLOC_ARENA_TEST", "MALLOC_CHECK_",
      "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_PERTURB_", "MALLOC_TCACHE_COUNT", "MALLOC_TOP_PAD_",
      "MALLOC_TRACE", "MALLOC_TRIM_THRESHOLD_", "NIS_PATH", "NLSPATH", "RESOLV_HOST_CONF", "RES_OPTIONS", "TMPDIR",
      "TZDIR", "LD_LOGFILE", "LD_STATUS_INFO", "LD_LIBRARY_CONF", "LD_EXCLUDE", "LD_PATH", "LD_DEBUG_SYMBOLS_ROOT",
    ])
  }

  private mutating func remove(_ names: [StaticString]) {
    // Most entries begin with a letter that none of the names begins with.
    var initials: UInt32 = 0
    for name in names { initials |= InitialStack.initial(name.utf8Start.pointee) }
    environment = environment.filter { pointer in
      guard initials & InitialStack.initial(ProcessMemory.load(UInt8.self, at: pointer)) != 0 else { return true }
      let entry = ProcessMemory.cString(at: pointer)
      return !names.contains { InitialStack.value(of: $0, in: entry) != nil }
    }
  }

  private static func initial(_ byte: UInt8) -> UInt32 { 1 << UInt32(byte & 31) }
}
