import CKernel

/// Makes objects from files: from the file itself, or from a private copy that nobody else can change.
public final class ObjectFactory {
  public enum Result {
    case host
    case object(LoadedObject)
  }

  /// Whether objects outside the system's library directories are mapped from a copy, and file contents kept for
  /// Bean: only where updates can come.
  public let keepsContent: Bool

  public init(keepsContent: Bool) { self.keepsContent = keepsContent }

  public func load(_ file: OpenedFile, name: Bytes) throws(LoadError) -> Result {
    if let result = try loadMapped(file, name: name) { return result }
    let source = try source(of: file)
    var isKept = false
    defer {
      source.copy?.closeDescriptor()
      if !isKept, source.copy == nil { Mapping.unmap(source.content.memoryAddress, UInt64(source.content.count)) }
    }
    let parsed = try ObjectFactory.parse(source.content, file.path)
    if HostRules.isHost(parsed) { return .host }
    let bias = try ObjectMapper.map(parsed.segments, of: source.descriptor, at: 0, path: file.path)
    let object = try ObjectFactory.object(
      parsed, bias: bias, path: file.path, name: Path(name).lastComponent, status: file.status)
    object.privateCopy = source.copy
    if keepsContent {
      object.fileContent = source.content
      isKept = true
    }
    return .object(object)
  }

  /// The short way for nearly all libraries: maps the segments that the file's beginning tells of and reads the tables
  /// there, once. nil: the file has to be looked at as a whole, or to be refused with a reason.
  private func loadMapped(_ file: OpenedFile, name: Bytes) throws(LoadError) -> Result? {
    if HostRules.isProbablyHost(name) { return nil }
    let copy = isCopied(file) ? try? PrivateCopy(of: file.descriptor, status: file.status, path: file.path) : nil
    defer { copy?.closeDescriptor() }
    let found = copy.map { OpenedFile.segments($0.bytes, fileSize: $0.status.size) } ?? file.segments
    guard let (header, segments) = found, header.kind == .sharedObject
    else { return nil }
    let source = copy?.descriptor ?? file.descriptor
    let bias = try ObjectMapper.map(segments, of: source, at: 0, path: file.path)
    guard
      let object = try? LoadedObject(
        role: .library, path: file.path, name: Path(name).lastComponent.withBytes { $0.copy() }, bias: bias,
        segments: segments, image: ObjectMapper.image(segments, bias: bias), status: file.status),
      !HostRules.isHost(object.versions)
    else {
      Mapping.unmap(bias &+ segments.span.start, segments.span.count)
      return nil
    }
    object.programHeaders = segments.programHeadersAddress.map { bias &+ $0 } ?? 0
    object.programHeaderCount = UInt64(header.programHeaderCount)
    object.privateCopy = copy
    object.fileContent = copy?.bytes
    if keepsContent, copy == nil {
      // Nobody reads it before an update comes, but then the file may be another.
      guard let content = try? ObjectMapper.content(of: source, size: file.status.size, path: file.path) else {
        Mapping.unmap(bias &+ segments.span.start, segments.span.count)
        return nil
      }
      object.fileContent = content
    }
    return .object(object)
  }

  /// Where updates can come and others than package managers write, overwriting a file in place would otherwise change
  /// or truncate running code.
  private func isCopied(_ file: OpenedFile) -> Bool { keepsContent && !SystemDirectories.contain(file.resolvedPath) }

  /// Reads a shared object's tables from its file.
  public static func parse(_ content: Bytes, _ path: Path) throws(LoadError) -> ObjectFile {
    do throws(ELFError) {
      // In the words of the system's loader, whatever the few bytes are.
      guard content.count >= MemoryLayout<Elf64_Ehdr>.size else { throw ELFError(.truncatedHeader, at: 0) }
      let parsed = try ObjectFile(content)
      if parsed.header.kind == .sharedObject { return parsed }
    } catch {
      throw LoadError(.malformed(error), path)
    }
    throw LoadError(.noLibrary("cannot dynamically load executable"), path)
  }

  /// The object for segments that are mapped; gives them back where its tables turn out to be broken.
  public static func object(
    _ parsed: ObjectFile, bias: UInt64, path: Path, name: Path, status: FileStatus
  ) throws(LoadError) -> LoadedObject {
    do throws(ELFError) {
      let object = try LoadedObject(
        role: .library, path: path, name: name.withBytes { $0.copy() }, bias: bias, segments: parsed.segments,
        image: ObjectMapper.image(parsed.segments, bias: bias), status: status)
      object.programHeaders = parsed.segments.programHeadersAddress.map { bias &+ $0 } ?? 0
      object.programHeaderCount = UInt64(parsed.header.programHeaderCount)
      return object
    } catch {
      Mapping.unmap(bias &+ parsed.segments.span.start, parsed.segments.span.count)
      throw LoadError(.malformed(error), path)
    }
  }

  /// Where an object's bytes come from.
  private struct Source {
    let descriptor: FileDescriptor
    let content: Bytes
    let copy: PrivateCopy?
  }

  /// The file itself, or a copy.
  private func source(of file: OpenedFile) throws(LoadError) -> Source {
    if isCopied(file) {
      do throws(CopyFailure) {
        let copy = try PrivateCopy(of: file.path)
        return Source(descriptor: copy.descriptor, content: copy.bytes, copy: copy)
      } catch {
        // The file is mapped itself, then; an empty or broken one is told by who reads it.
      }
    }
    let content = try ObjectMapper.content(of: file.descriptor, size: file.status.size, path: file.path)
    return Source(descriptor: file.descriptor, content: content, copy: nil)
  }
}
