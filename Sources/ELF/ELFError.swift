/// Why a file can't be used as an ELF object: what is wrong and where, for a message that names both.
public struct ELFError: Error, Equatable {
  public enum Reason: UInt8, Equatable, Sendable {
    case truncatedHeader
    case notELF
    case not64Bit
    case notLittleEndian
    case unsupportedVersion
    case wrongMachine
    case unsupportedType
    case badProgramHeaderSize
    case programHeadersOutside
    case tooManySegments
    case noLoadableSegment
    case segmentOutsideFile
    case segmentSizes
    case segmentOrder
    case segmentAlignment
    case segmentTooLarge
    case tlsSegment
    case dynamicMissing
    case dynamicOutside
    case dynamicUnterminated
    case stringTable
    case symbolTable
    case hashTable
    case versionTable
    case relocationTable
    case relocationEntry
    case relocationType
    case relocationTarget
    case symbolIndex
    case sectionHeaders
    case note
    case unwindTable
    case tooLarge
  }

  public let reason: Reason
  /// Where: an offset in the file, or an address of the object for what only exists in memory.
  public let offset: UInt64

  public init(_ reason: Reason, at offset: UInt64) {
    self.reason = reason
    self.offset = offset
  }
}

extension ELFError.Reason {
  /// The position says nothing that the text does not.
  public var isAboutHeader: Bool {
    switch self {
    case .truncatedHeader, .notELF, .not64Bit, .notLittleEndian, .unsupportedVersion, .noLoadableSegment: true
    default: false
    }
  }

  /// The message without file and offset.
  public var text: StaticString {
    switch self {
    case .truncatedHeader: "file too short"
    case .notELF: "invalid ELF header"
    case .not64Bit: "wrong ELF class: not ELFCLASS64"
    case .notLittleEndian: "ELF file data encoding not little-endian"
    case .unsupportedVersion: "ELF file version does not match current one"
    case .wrongMachine: "ELF file of another machine"
    case .unsupportedType: "only ET_DYN and ET_EXEC can be loaded"
    case .badProgramHeaderSize: "ELF file's phentsize not the expected size"
    case .programHeadersOutside: "program headers lie outside the file"
    case .tooManySegments: "too many program headers"
    case .noLoadableSegment: "object file has no loadable segments"
    case .segmentOutsideFile: "a loadable segment lies outside the file"
    case .segmentSizes: "a segment is larger in the file than in memory"
    case .segmentOrder: "loadable segments overlap or are out of order"
    case .segmentAlignment: "ELF load command address/offset not properly aligned"
    case .segmentTooLarge: "segments span too much memory"
    case .tlsSegment: "bad PT_TLS segment"
    case .dynamicMissing: "no dynamic section"
    case .dynamicOutside: "dynamic section lies outside the loadable segments"
    case .dynamicUnterminated: "dynamic section has no end"
    case .stringTable: "bad string table"
    case .symbolTable: "bad symbol table"
    case .hashTable: "bad symbol hash table"
    case .versionTable: "bad symbol version table"
    case .relocationTable: "bad relocation table"
    case .relocationEntry: "relocation outside the loadable segments"
    case .relocationType: "unexpected relocation type"
    case .relocationTarget: "relocation target out of range"
    case .symbolIndex: "symbol index out of range"
    case .sectionHeaders: "bad section headers"
    case .note: "bad note"
    case .unwindTable: "bad unwind table"
    case .tooLarge: "file too large"
    }
  }
}
