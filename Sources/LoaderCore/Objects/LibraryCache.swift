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
    var best: (rank: Int, value: UInt32)?
    var index = firstRecord(notBefore: name)
    while index < count, let key = key(ofRecord: index), LibraryCache.order(name, key) == 0 {
      let record = LibraryCache.headerSize + index * LibraryCache.recordSize
      index += 1
      // Equal in order and not in text: libx.so.1 and libx.so.01.
      guard key == name, content.load(Int32.self, at: record) == LibraryCache.wantedFlags,
        let value = content.load(UInt32.self, at: record + 8),
        let bits = content.load(UInt64.self, at: record + 16), let rank = bits == 0 ? Int.max : rank(bits, hardware())
      else { continue }
      if best.map({ rank < $0.rank }) ?? true { best = (rank, value) }
    }
    return best.flatMap { content.cString(at: UInt64($0.value)) }
  }

  /// ldconfig sorts records descending; `count` where all come before `name`.
  private func firstRecord(notBefore name: Bytes) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if let key = key(ofRecord: middle), LibraryCache.order(key, name) > 0 {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }

  private func key(ofRecord index: Int) -> Bytes? {
    content.load(UInt32.self, at: LibraryCache.headerSize + index * LibraryCache.recordSize + 4)
      .flatMap { content.cString(at: UInt64($0)) }
  }

  /// Below, equal or above 0. Runs of digits are compared as numbers, and come after everything else
  /// (_dl_cache_libcmp).
  static func order(_ one: Bytes, _ other: Bytes) -> Int {
    var i = 0
    var j = 0
    while i < one.count {
      let a = one[i]
      let b = j < other.count ? other[j] : 0
      switch (isDigit(a), isDigit(b)) {
      case (true, true):
        let (left, right) = (number(in: one, at: &i), number(in: other, at: &j))
        if left != right { return left < right ? -1 : 1 }
      case (true, false): return 1
      case (false, true): return -1
      case (false, false):
        if a != b { return Int(a) - Int(b) }
        i += 1
        j += 1
      }
    }
    return j < other.count ? -Int(other[j]) : 0
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

  private static func number(in text: Bytes, at index: inout Int) -> UInt32 {
    var value: UInt32 = 0
    while index < text.count, isDigit(text[index]) {
      value = value &* 10 &+ UInt32(text[index] &- 48)
      index += 1
    }
    return value
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
