import CKernel

/// /etc/ld.so.cache: which file a library name stands for.
///
/// The format is that of glibc's ldconfig since 2.2 ("glibc-ld.so.cache1.1"; sysdeps/generic/dl-cache.h): a
/// header, sorted records of flags, key, value (offsets of strings from the header) and hardware bits. A record for
/// a hardware subdirectory (glibc-hwcaps, since 2.33) has bit 62 set there and the index of the subdirectory's name
/// in its low half; the names are in an extension section, which the header leads to.
public struct LibraryCache {
  let content: Bytes
  let count: Int
  /// Offsets of the names of hardware subdirectories.
  private var hardwareNames = Bytes.empty

  static var magic: StaticString { "glibc-ld.so.cache1.1" }
  static var headerSize: Int { 48 }
  static var recordSize: Int { 24 }
  /// FLAG_ELF_LIBC6 | FLAG_X8664_LIB64.
  static var wantedFlags: Int32 { 0x0303 }
  static var extensionMagic: UInt32 { 0xeaa4_2174 }
  /// cache_extension_tag_glibc_hwcaps.
  static var hardwareTag: UInt32 { 1 }

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
    hardwareNames = LibraryCache.hardwareNames(content)
  }

  /// The extension section is {magic, count}, then {tag, flags, offset, size} for each.
  private static func hardwareNames(_ content: Bytes) -> Bytes {
    guard let start = content.load(UInt32.self, at: 32), start != 0,
      content.load(UInt32.self, at: UInt64(start)) == extensionMagic,
      let count = content.load(UInt32.self, at: UInt64(start) + 4)
    else { return .empty }
    for index in 0..<UInt64(min(count, 64)) {
      let entry = UInt64(start) + 8 + index * 16
      guard content.load(UInt32.self, at: entry) == hardwareTag,
        let offset = content.load(UInt32.self, at: entry + 8), let size = content.load(UInt32.self, at: entry + 12),
        let names = content.slice(at: UInt64(offset), count: UInt64(size))
      else { continue }
      return names
    }
    return .empty
  }

  /// The path for a library name; of several the one for the best of `hardware`, names of subdirectories with the
  /// best first, which is only asked for where the cache has such records for the name.
  public func path(of name: Bytes, hardware: () -> [StaticString] = { [] }) -> Bytes? {
    // Sorted descending by a comparison that takes runs of digits as numbers; a scan over keys costs about as
    // much as that comparison done right and cannot be misled by a table that is not sorted.
    var best: (rank: Int, value: UInt32)?
    for index in 0..<count {
      let record = LibraryCache.headerSize + index * LibraryCache.recordSize
      guard let flags = content.load(Int32.self, at: record), flags == LibraryCache.wantedFlags,
        let key = content.load(UInt32.self, at: record + 4),
        let candidate = content.slice(at: UInt64(key), count: UInt64(name.count)), candidate == name,
        content.load(UInt8.self, at: UInt64(key) + UInt64(name.count)) == 0,
        let value = content.load(UInt32.self, at: record + 8),
        let bits = content.load(UInt64.self, at: record + 16), let rank = bits == 0 ? Int.max : rank(bits, hardware())
      else { continue }
      if best.map({ rank < $0.rank }) ?? true { best = (rank, value) }
    }
    return best.flatMap { content.cString(at: UInt64($0.value)) }
  }

  /// Position among `hardware`; nil for what this processor can't run.
  private func rank(_ bits: UInt64, _ hardware: [StaticString]) -> Int? {
    guard bits >> 32 == 1 << 30, let offset = hardwareNames.load(UInt32.self, at: (bits & 0xffff_ffff) * 4),
      let name = content.cString(at: UInt64(offset))
    else { return nil }
    for index in 0..<hardware.count where name == Bytes(hardware[index]) { return index }
    return nil
  }
}
