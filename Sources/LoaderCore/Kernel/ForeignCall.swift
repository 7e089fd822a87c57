/// Calls of the program's and the host's code by address. They run on program threads only, and never in the
/// update path.
public enum ForeignCall {
  /// Constructors get what main gets (gABI leaves the arguments open; glibc and musl pass them).
  public static func constructor(_ address: UInt64, _ count: UInt64, _ arguments: UInt64, _ environment: UInt64) {
    typealias Function = @convention(c) (Int32, UInt, UInt) -> Void
    let function = unsafeBitCast(UInt(address), to: Function.self)
    function(Int32(truncatingIfNeeded: count), UInt(arguments), UInt(environment))
  }

  public static func destructor(_ address: UInt64) {
    unsafeBitCast(UInt(address), to: (@convention(c) () -> Void).self)()
  }

  /// An ifunc resolver (psABI: no arguments on x86-64), or any function from nothing to a word.
  public static func word(_ address: UInt64) -> UInt64 {
    unsafeBitCast(UInt(address), to: (@convention(c) () -> UInt64).self)()
  }

  public static func word(_ address: UInt64, _ a: UInt64, _ b: UInt64 = 0, _ c: UInt64 = 0) -> UInt64 {
    typealias Function = @convention(c) (UInt64, UInt64, UInt64) -> UInt64
    return unsafeBitCast(UInt(address), to: Function.self)(a, b, c)
  }

  public static func word4(_ address: UInt64, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) -> UInt64 {
    typealias Function = @convention(c) (UInt64, UInt64, UInt64, UInt64) -> UInt64
    return unsafeBitCast(UInt(address), to: Function.self)(a, b, c, d)
  }
}
