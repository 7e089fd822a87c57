import CKernel

/// Memory of this process by absolute address, where no object's bounds apply: the initial stack, structures of
/// the C library's loader, tables that are handed to the program. Whoever uses it says why the address is good.
public enum ProcessMemory {
  @inline(__always)
  static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer {
    // An address of 0 never gets here: callers have checked, and reading it would fault as in any program.
    UnsafeMutableRawPointer(bitPattern: UInt(address)).unsafelyUnwrapped
  }

  @inline(__always)
  public static func load<T: BitwiseCopyable>(_ type: T.Type, at address: UInt64) -> T {
    pointer(address).loadUnaligned(as: type)
  }

  @inline(__always)
  public static func store<T: BitwiseCopyable>(_ value: T, at address: UInt64) {
    pointer(address).storeBytes(of: value, as: T.self)
  }

  /// One aligned store that other threads see whole.
  @inline(__always)
  public static func storeAtomically(_ value: UInt64, at address: UInt64) {
    luci_store_release(pointer(address).assumingMemoryBound(to: UInt64.self), value)
  }

  /// Stores `value` if the word still is `expected`: for words that the program may write to at the same time.
  @inline(__always)
  public static func exchange(_ expected: UInt64, by value: UInt64, at address: UInt64) {
    _ = luci_compare_exchange(pointer(address).assumingMemoryBound(to: UInt64.self), expected, value)
  }

  @inline(__always)
  public static func loadAtomically(at address: UInt64) -> UInt64 {
    luci_load_acquire(pointer(address).assumingMemoryBound(to: UInt64.self))
  }

  public static func copy(from source: UInt64, to target: UInt64, count: UInt64) {
    if count == 0 { return }
    pointer(target).copyMemory(from: pointer(source), byteCount: Int(count))
  }

  public static func zero(_ address: UInt64, count: UInt64) {
    if count == 0 { return }
    pointer(address).initializeMemory(as: UInt8.self, repeating: 0, count: Int(count))
  }

  /// The bytes from `address`; they must stay mapped for as long as the result is used.
  public static func bytes(at address: UInt64, count: UInt64) -> Bytes {
    if count == 0 { return .empty }
    return Bytes(start: pointer(address), count: Int(count))
  }

  /// Memory to be filled.
  static func buffer(at address: UInt64, count: UInt64) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: pointer(address), count: Int(count))
  }

  public static func cString(at address: UInt64) -> Bytes {
    address == 0 ? .empty : Bytes(cString: pointer(address))
  }
}
