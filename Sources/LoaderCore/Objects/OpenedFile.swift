import CKernel

/// A file that may become an object: open, its beginning read, its kind known.
public final class OpenedFile {
  public let path: Path
  public let status: FileStatus
  public let descriptor: FileDescriptor
  /// The first bytes, as many as there are: what nearly all files have their program headers in.
  private let head: [UInt8]
  static var headSize: Int { 1024 }

  public init(_ path: Path) throws(LoadError) {
    self.path = path
    do throws(Errno) {
      // Never waits: a FIFO would otherwise hold the program up until a writer comes.
      descriptor = try FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
    } catch {
      throw LoadError(.openFailed(error), path)
    }
    do throws(Errno) {
      status = try descriptor.status()
    } catch {
      descriptor.close()
      throw LoadError(.readFailed(error), path)
    }
    guard status.isRegular else {
      descriptor.close()
      throw LoadError(status.isDirectory ? .readFailed(.isDirectory) : .notRegularFile, path)
    }
    head = OpenedFile.head(of: descriptor)
  }

  private static func head(of file: FileDescriptor) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: headSize) { buffer, count in
      count = (try? file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)) ?? 0
    }
  }

  public func withHead<R>(_ body: (Bytes) -> R) -> R { head.withUnsafeBytes { body(Bytes($0)) } }

  /// Header and segments; nil where the program headers are not at the file's beginning, or broken, which whoever
  /// looks at all of the file will tell.
  public var segments: (header: FileHeader, segments: Segments)? {
    withHead { OpenedFile.segments($0, fileSize: status.size) }
  }

  /// The same from the first bytes, or all, of a file of that size.
  static func segments(_ bytes: Bytes, fileSize: UInt64) -> (header: FileHeader, segments: Segments)? {
    guard let header = try? FileHeader(bytes),
      let table = bytes.slice(
        at: header.programHeaderOffset, count: UInt64(header.programHeaderCount * MemoryLayout<Elf64_Phdr>.size)),
      let segments = try? Segments(table: table, header, fileSize: fileSize)
    else { return nil }
    return (header, segments)
  }

  /// The path behind all symbolic links, as the kernel has it for the open file.
  public private(set) lazy var resolvedPath: Path = {
    var text = Text("/proc/self/fd/")
    text.append(decimal: UInt64(descriptor.number))
    return (try? Path(text).linkTarget()) ?? path
  }()

  public func close() { descriptor.close() }

  /// Whether it begins like an ELF file.
  public var isELF: Bool { withHead { $0.load(UInt32.self, at: 0) == 0x464c_457f } }

  /// Whether a search ends here: an ELF file of this machine, as far as its header tells.
  public var isUsable: Bool {
    withHead { head in
      // A broken file of this machine ends the search with its own error; only other machines are passed over.
      guard let header = head.load(Elf64_Ehdr.self, at: 0) else { return true }
      let isOther = header.e_machine != FileHeader.machine || header.e_ident.4 != UInt8(ELFCLASS64)
      return !(header.e_ident.0 == 0x7f && header.e_ident.1 == 0x45 && isOther)
    }
  }
}
