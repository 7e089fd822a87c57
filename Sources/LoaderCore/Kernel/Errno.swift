import CKernel

/// An error number of the kernel.
public struct Errno: Error, Equatable, Sendable {
  public let number: Int32

  public init(_ number: Int32) { self.number = number }

  public static var noEntry: Errno { Errno(ENOENT) }
  public static var notPermitted: Errno { Errno(EPERM) }
  public static var accessDenied: Errno { Errno(EACCES) }
  public static var isDirectory: Errno { Errno(EISDIR) }
  public static var tooLarge: Errno { Errno(EFBIG) }
  public static var noMemory: Errno { Errno(ENOMEM) }
  public static var again: Errno { Errno(EAGAIN) }
  public static var interrupted: Errno { Errno(EINTR) }
  public static var changed: Errno { Errno(ESTALE) }
  public static var invalid: Errno { Errno(EINVAL) }

  /// The wording of strerror(3), for the numbers that opening and mapping files and connecting sockets can give.
  public var text: StaticString {
    switch number {
    case EPERM: "Operation not permitted"
    case ENOENT: "No such file or directory"
    case EIO: "Input/output error"
    case EAGAIN: "Resource temporarily unavailable"
    case ENOMEM: "Cannot allocate memory"
    case EACCES: "Permission denied"
    case EBUSY: "Device or resource busy"
    case EEXIST: "File exists"
    case ENOTDIR: "Not a directory"
    case EISDIR: "Is a directory"
    case EINVAL: "Invalid argument"
    case ENFILE: "Too many open files in system"
    case EMFILE: "Too many open files"
    case ETXTBSY: "Text file busy"
    case EFBIG: "File too large"
    case ENOSPC: "No space left on device"
    case EROFS: "Read-only file system"
    case EPIPE: "Broken pipe"
    case ENAMETOOLONG: "File name too long"
    case ENOSYS: "Function not implemented"
    case ELOOP: "Too many levels of symbolic links"
    case ESTALE: "Stale file handle"
    case ENOEXEC: "Exec format error"
    case ECONNREFUSED: "Connection refused"
    case ECONNRESET: "Connection reset by peer"
    case ETIMEDOUT: "Connection timed out"
    case ENETUNREACH: "Network is unreachable"
    case EHOSTUNREACH: "No route to host"
    case EAFNOSUPPORT: "Address family not supported by protocol"
    default: "error"
    }
  }
}

/// Turns a system call's result into a value or a thrown Errno.
@inline(__always)
func check(_ result: Int) throws(Errno) -> Int {
  if result < 0 && result >= -4095 { throw Errno(Int32(-result)) }
  return result
}
