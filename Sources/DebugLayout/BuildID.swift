import CElfutils
import Foundation

/// The build-id of ELF files that are no objects of a program, such as what dwz makes.
public enum BuildID {
  public static func of(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    elf_version(UInt32(EV_CURRENT))
    guard let elf = elf_begin(descriptor, ELF_C_READ, nil) else { return nil }
    defer { elf_end(elf) }
    var identity: UnsafeRawPointer?
    let count = dwelf_elf_gnu_build_id(elf, &identity)
    guard count > 0, let identity else { return nil }
    return [UInt8](UnsafeRawBufferPointer(start: identity, count: Int(count)))
  }
}
