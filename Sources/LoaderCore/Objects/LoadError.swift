/// Why a program or one of its objects can't be loaded, with what a message needs.
public struct LoadError: Error {
  public enum Kind: Sendable {
    case openFailed(Errno)
    case readFailed(Errno)
    case mapFailed(Errno)
    case protectFailed(Errno)
    case malformed(ELFError)
    case notFound
    case symbolNotFound
    case versionNotFound
    case noSpaceNear
    /// Code of a newer version computes an address between two variables that live apart.
    case ambiguousHome
    case staticTLSExhausted
    case unsupportedRelocation(UInt32)
    case relocationOverflow
    case notRegularFile
    case untrusted(StaticString)
    case hostUnusable(StaticString)
    case noLoadableProgram(StaticString)
    /// Not for this machine, or no ELF file at all: whether it can be executed, the kernel knows.
    case foreign(StaticString)
    /// An object of a kind that can't be a library.
    case noLibrary(StaticString)
    case executableAsLibrary
  }

  public let kind: Kind
  /// The object concerned: its path, or the name that was searched.
  public var object: Path
  /// The symbol, version or file that is missing; empty else.
  public var subject: [UInt8] = []
  /// For a missing version: the file that should define it.
  public var file: [UInt8] = []
  public var position: UInt64 = 0

  public init(_ kind: Kind, _ object: Path, subject: Bytes = .empty, position: UInt64 = 0) {
    self.kind = kind
    self.object = object
    self.subject = subject.copy()
    self.position = position
  }

  /// The message in the wording of the system's loader where that has one.
  public var message: Text {
    var text = Text()
    switch kind {
    case .notFound:
      object.write(to: &text)
      text.append(": cannot open shared object file: No such file or directory")
    case .openFailed(let errno):
      object.write(to: &text)
      text.append(": cannot open shared object file: ")
      text.append(errno.text)
    case .readFailed(let errno):
      object.write(to: &text)
      text.append(": cannot read file data: ")
      text.append(errno.text)
    case .mapFailed(let errno):
      object.write(to: &text)
      text.append(": failed to map segment from shared object: ")
      text.append(errno.text)
    case .protectFailed(let errno):
      object.write(to: &text)
      text.append(": cannot change memory protections: ")
      text.append(errno.text)
    case .malformed(let error):
      object.write(to: &text)
      text.append(": ")
      text.append(error.reason.text)
      // What the system's loader says of the header, it says in these words alone.
      if error.reason.isAboutHeader { break }
      text.append(" (at ")
      text.append(hex: error.offset)
      text.append(")")
    default: describeBinding(&text)
    }
    return text
  }

  /// The message without the object's name and the kernel's reason.
  var reasonOfPreload: [UInt8] {
    switch kind {
    case .notFound, .openFailed: return Bytes("cannot open shared object file").copy()
    default: break
    }
    let text = message.bytes
    let prefix = object.count + 2
    return text.count > prefix ? Array(text[prefix...]) : text
  }

  private func describeBinding(_ text: inout Text) {
    object.write(to: &text)
    switch kind {
    case .symbolNotFound:
      text.append(": undefined symbol: ")
      text.append(subject)
    case .versionNotFound:
      text = Text()
      text.append(file)
      text.append(": version `")
      text.append(subject)
      text.append("' not found (required by ")
      object.write(to: &text)
      text.append(")")
    case .noSpaceNear: text.append(": no free memory within 2 GiB of the library's data")
    case .ambiguousHome: text.append(": an address may belong to either of two variables")
    case .staticTLSExhausted: text.append(": cannot allocate memory in static TLS block")
    case .unsupportedRelocation(let type):
      text.append(": unexpected reloc type 0x")
      text.append(hex: UInt64(type), width: 2)
    case .relocationOverflow: text.append(": relocation target out of range")
    case .executableAsLibrary: text.append(": cannot dynamically load position-independent executable")
    case .notRegularFile: text.append(": not a regular file")
    case .untrusted(let why), .hostUnusable(let why), .noLoadableProgram(let why), .foreign(let why),
      .noLibrary(let why):
      text.append(": ")
      text.append(why)
    default: break
    }
  }
}
