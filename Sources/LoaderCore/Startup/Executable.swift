import CKernel

/// The program's executable: found as the kernel mapped it, or opened and mapped by Luci.
public enum Executable {
  /// Started as PT_INTERP: AT_PHDR tells where the program headers are.
  public static func mappedByKernel(_ stack: InitialStack) throws(LoadError) -> LoadedObject {
    let name = Path("")
    guard let address = stack[AT_PHDR], let count = stack[AT_PHNUM], count < 65536 else {
      throw LoadError(.noLoadableProgram("no program headers in the auxiliary vector"), name)
    }
    do throws(ELFError) {
      let table = ProcessMemory.bytes(at: address, count: count * UInt64(MemoryLayout<Elf64_Phdr>.size))
      let segments = try Segments(table: table, at: 0, fileSize: 1 << 47)
      guard segments.dynamic != nil else { throw ELFError(.dynamicMissing, at: 0) }
      // Without PT_PHDR the first segment holds header and table, as every linker lays it out.
      let bias = segments.programHeadersAddress.map { address &- $0 } ?? (address & ~4095) &- segments.span.start
      let object = try LoadedObject(
        role: .executable, path: name, name: [], bias: bias, segments: segments,
        image: ObjectMapper.image(segments, bias: bias), status: nil)
      object.programHeaders = address
      object.programHeaderCount = count
      return object
    } catch {
      if error.reason == .dynamicMissing { throw LoadError(.noLoadableProgram(error.reason.text), name) }
      throw LoadError(.malformed(error), name)
    }
  }

  /// A program with a dynamic section can be loaded; others are executed plainly.
  public struct Opened {
    public let object: LoadedObject
    public let entry: UInt64
    /// PT_INTERP, or what setinterp(1) remembered of it.
    public let interpreter: Path?
    /// The directory of the file itself, behind all symbolic links: $ORIGIN.
    public let directory: Path
  }

  /// Started directly: opens, checks and maps `path`.
  public static func open(_ path: Path) throws(LoadError) -> Opened {
    let file = try OpenedFile(path)
    defer { file.close() }
    if let opened = try openMapped(file, path) { return opened }
    let content = try ObjectMapper.content(of: file.descriptor, size: file.status.size, path: path)
    defer { Mapping.unmap(content.memoryAddress, UInt64(content.count)) }
    let parsed: ObjectFile
    do throws(ELFError) { parsed = try ObjectFile(content) } catch {
      // Scripts and programs of other machines are the kernel's business.
      switch error.reason {
      case .notELF, .not64Bit, .notLittleEndian, .wrongMachine: throw LoadError(.foreign(error.reason.text), path)
      default: throw LoadError(.malformed(error), path)
      }
    }
    guard parsed.dynamic != nil, let interpreter = parsed.interpreter else {
      throw LoadError(.noLoadableProgram("statically linked"), path)
    }
    let place = parsed.header.kind == .executable ? parsed.segments.span.start : 0
    let bias = try ObjectMapper.map(parsed.segments, of: file.descriptor, at: place, path: path)
    do throws(ELFError) {
      let object = try LoadedObject(
        role: .executable, path: Path(""), name: [], bias: bias, segments: parsed.segments,
        image: ObjectMapper.image(parsed.segments, bias: bias), status: file.status)
      object.programHeaders = bias &+ (parsed.segments.programHeadersAddress ?? 0)
      object.programHeaderCount = UInt64(parsed.header.programHeaderCount)
      return Opened(
        object: object, entry: bias &+ parsed.header.entry,
        interpreter: Path(parsed.rememberedInterpreter ?? interpreter),
        directory: file.resolvedPath.directory)
    } catch {
      throw LoadError(.malformed(error), path)
    }
  }

  /// The short way for nearly all programs: what the file's beginning tells of is mapped, and the rest read there. nil:
  /// the file has to be looked at as a whole, if only for what is wrong with it.
  private static func openMapped(_ file: OpenedFile, _ path: Path) throws(LoadError) -> Opened? {
    guard let (header, segments) = file.segments, segments.dynamic != nil, segments.interpreter != nil else {
      return nil
    }
    let place = header.kind == .executable ? segments.span.start : 0
    let bias = try ObjectMapper.map(segments, of: file.descriptor, at: place, path: path)
    guard
      let object = try? LoadedObject(
        role: .executable, path: Path(""), name: [], bias: bias, segments: segments,
        image: ObjectMapper.image(segments, bias: bias), status: file.status),
      let area = interpreterArea(of: object), let interpreter = area.cString(at: 0)
    else {
      Mapping.unmap(bias &+ segments.span.start, segments.span.count)
      return nil
    }
    object.programHeaders = bias &+ (segments.programHeadersAddress ?? 0)
    object.programHeaderCount = UInt64(header.programHeaderCount)
    return Opened(
      object: object, entry: bias &+ header.entry,
      interpreter: Path(InterpreterRecord(area)?.original ?? interpreter), directory: file.resolvedPath.directory)
  }

  /// A name without a slash is looked up as given, then in PATH.
  public static func find(_ name: Path, pathVariable: Bytes?) -> Path {
    if name.hasSlash || (try? FileDescriptor.status(of: name)) != nil { return name }
    guard let list = pathVariable else { return name }
    var start = 0
    for index in 0...list.count where index == list.count || list[index] == 58 {
      if let part = list.slice(at: UInt64(start), count: UInt64(index - start)), part.count > 0 {
        let candidate = Path(part).appending(name)
        if let status = try? FileDescriptor.status(of: candidate), status.isRegular, status.mode & 0o111 != 0 {
          return candidate
        }
      }
      start = index + 1
    }
    return name
  }
}
