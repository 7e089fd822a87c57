import CKernel

/// /etc/ld.so.cache: which file a library name stands for.
///
/// The format is that of glibc's ldconfig since 2.2 ("glibc-ld.so.cache1.1"; sysdeps/generic/dl-cache.h): a
/// header, sorted records of flags, key, value (offsets of strings from the header) and hardware bits. Records
/// for hardware subdirectories (glibc-hwcaps) are passed over: their plain siblings serve every processor.
public struct LibraryCache {
  let content: Bytes
  let count: Int

  static var magic: StaticString { "glibc-ld.so.cache1.1" }
  static var headerSize: Int { 48 }
  static var recordSize: Int { 24 }
  /// FLAG_ELF_LIBC6 | FLAG_X8664_LIB64.
  static var wantedFlags: Int32 { 0x0303 }

  /// nil for content that is not such a cache.
  public init?(_ file: Bytes) {
    // An old-format cache may precede the new one (ldconfig -c compat).
    var start: UInt64 = 0
    if file.hasPrefix("ld.so-1.7.0") {
      guard let records = file.load(UInt32.self, at: 12) else { return nil }
      start = (16 + UInt64(records) * 12 + 7) & ~7
    }
    guard let content = file.suffix(from: start), content.hasPrefix(LibraryCache.magic),
      let count = content.load(UInt32.self, at: 20),
      LibraryCache.headerSize + Int(count) * LibraryCache.recordSize <= content.count
    else { return nil }
    self.content = content
    self.count = Int(count)
  }

  /// The path for a library name.
  public func path(of name: Bytes) -> Bytes? {
    // Sorted descending by a comparison that takes runs of digits as numbers; a scan over keys costs about as
    // much as that comparison done right and cannot be misled by a table that is not sorted.
    for index in 0..<count {
      let record = LibraryCache.headerSize + index * LibraryCache.recordSize
      guard let flags = content.load(Int32.self, at: record), flags == LibraryCache.wantedFlags,
        let hardware = content.load(UInt64.self, at: record + 16), hardware == 0,
        let key = content.load(UInt32.self, at: record + 4),
        let candidate = content.slice(at: UInt64(key), count: UInt64(name.count)), candidate == name,
        content.load(UInt8.self, at: UInt64(key) + UInt64(name.count)) == 0,
        let value = content.load(UInt32.self, at: record + 8)
      else { continue }
      return content.cString(at: UInt64(value))
    }
    return nil
  }
}
