import CKernel

/// A file that may become an object: open, its beginning read, its kind known.
public final class OpenedFile {
  public let path: Path
  public let status: FileStatus
  public let descriptor: FileDescriptor

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
  }

  /// The path behind all symbolic links, as the kernel has it for the open file.
  public var resolvedPath: Path {
    var text = Text("/proc/self/fd/")
    text.append(decimal: UInt64(descriptor.number))
    return (try? Path(text).linkTarget()) ?? path
  }

  public func close() { descriptor.close() }

  /// Whether it begins like an ELF file.
  public var isELF: Bool {
    var magic: UInt32 = 0
    let count = withUnsafeMutableBytes(of: &magic) { buffer -> Int in
      (try? descriptor.read(into: buffer, at: 0)) ?? 0
    }
    return count == 4 && magic == 0x464c_457f
  }

  /// Whether a search ends here: an ELF file of this machine, as far as its header tells.
  public var isUsable: Bool {
    var header = Elf64_Ehdr()
    let size = MemoryLayout<Elf64_Ehdr>.size
    let count = withUnsafeMutableBytes(of: &header) { buffer -> Int in
      (try? descriptor.read(into: buffer, at: 0)) ?? 0
    }
    // A broken file of this machine ends the search with its own error; only other machines are passed over.
    if count < size { return true }
    let isOther = header.e_machine != FileHeader.machine || header.e_ident.4 != UInt8(ELFCLASS64)
    return !(header.e_ident.0 == 0x7f && header.e_ident.1 == 0x45 && isOther)
  }
}
