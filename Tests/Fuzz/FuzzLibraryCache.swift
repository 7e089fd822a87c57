// fuzz-only: Sources/ELF Sources/LoaderCore/Objects/LibraryCache.swift
// fuzz-corpus: cache

/// /etc/ld.so.cache. The first names of the input itself are looked up, and some that it does not have.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLibraryCache(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data else { return 0 }
  let bytes = Bytes(start: UnsafeRawPointer(data), count: size)
  guard let cache = LibraryCache(bytes) else { return 0 }
  precondition(cache.count * LibraryCache.recordSize <= size)
  var names = [Bytes("libc.so.6"), Bytes("")]
  for index in 0..<min(cache.count, 8) {
    let record = LibraryCache.headerSize + index * LibraryCache.recordSize
    if let key = cache.content.load(UInt32.self, at: record + 4), let name = cache.content.cString(at: UInt64(key)) {
      names.append(name)
    }
  }
  for name in names {
    for hardware in [[], ["x86-64-v3", "x86-64-v2"]] as [[StaticString]] {
      guard let path = cache.path(of: name, hardware: { hardware }) else { continue }
      precondition(path.memoryAddress >= bytes.memoryAddress)
      precondition(path.memoryAddress + UInt64(path.count) < bytes.memoryAddress + UInt64(size))
    }
  }
  return 0
}
